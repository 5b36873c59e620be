"""A rows file may be removed only while all of it can be restored."""

from pathlib import Path

import anyio
import apsw
import pytest

from engine.errors import ReplicaError
from engine.replicas.rows.only_ours import holds_only_ours
from tests.api.serving import write_sample
from tests.examples import first_quick


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.db"
    anyio.run(write_sample, path)
    return path


def test_a_file_with_only_our_rows_is_recognised(rows: Path) -> None:
    assert holds_only_ours(rows)
    assert sorted(path.name for path in rows.parent.glob("rows.db-*")) == []


@pytest.mark.parametrize(
    "statement",
    first_quick(
        [
            "CREATE TABLE notes (text)",
            "CREATE VIEW seen AS SELECT 1",
            "ALTER TABLE devices ADD COLUMN capabilities TEXT",
            "CREATE TRIGGER t AFTER INSERT ON devices BEGIN SELECT 1; END",
            "INSERT INTO areas (area_id, name) VALUES ('mine', 'Mine')",
            "UPDATE areas SET name = 'Another'",
            "DELETE FROM reconcile_applied WHERE registry = 'area'",
        ],
        3,
    ),
)
def test_what_another_program_added_or_changed_is_kept(rows: Path, statement: str) -> None:
    connection = apsw.Connection(str(rows))
    connection.execute(statement)
    connection.close()
    assert not holds_only_ours(rows)


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_what_is_no_rows_file_is_not_judged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.db").write_bytes(content)
    with pytest.raises(ReplicaError):
        holds_only_ours(tmp_path / "rows.db")
