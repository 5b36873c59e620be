"""The digest over all rows differs whenever a row does."""

from pathlib import Path

import apsw
import pytest

from engine.replicas.rows.reader import select_all
from engine.replicas.rows.replica import open_rows
from engine.replicas.sqlite_file.digests import sum_rows
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import one_pass


def digest(connection: apsw.Connection) -> str | None:
    statements = select_all(connection)
    return None if statements is None else sum_rows(connection, statements, 7).text()


@pytest.fixture
def connection(tmp_path: Path) -> apsw.Connection:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, device(1), device(2), entity(1), entity(2)))
    rows.close()
    return apsw.Connection(str(tmp_path / "rows.db"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE devices SET name = name || ' ' WHERE rowid = 2",
        "UPDATE entities SET platform = CAST(platform AS BLOB) WHERE rowid = 1",
        "UPDATE entities SET platform = jsonb('\"' || platform || '\"') WHERE rowid = 1",
        "UPDATE entities SET icon = jsonb('null') WHERE rowid = 1",
        "UPDATE devices SET entity_count = jsonb(entity_count) WHERE rowid = 1",
        "UPDATE entities SET icon = platform, platform = icon WHERE rowid = 1",
        "UPDATE devices SET entity_count = entity_count + 0.5 WHERE rowid = 1",
        "UPDATE devices SET serial_number = '' WHERE rowid = 1",
        "UPDATE devices SET name = CAST(x'ff' AS TEXT) WHERE rowid = 1",
        "UPDATE devices SET name = name || char(0) || 'x' WHERE rowid = 1",
        "DELETE FROM entities WHERE rowid = 2",
        "INSERT INTO labels (label_id, name) VALUES ('l', 'L')",
    ],
)
def test_any_change_of_any_row_changes_the_digest(connection: apsw.Connection, statement: str) -> None:
    before = digest(connection)
    assert before is not None
    assert digest(connection) == before
    connection.execute(statement)
    assert digest(connection) != before


def test_columns_of_other_programs_and_a_vacuum_do_not_count(connection: apsw.Connection) -> None:
    before = digest(connection)
    connection.execute("ALTER TABLE devices ADD COLUMN health_score INTEGER DEFAULT 7")
    connection.execute("VACUUM")
    assert digest(connection) == before


def test_rows_that_are_not_ours_have_no_digest(connection: apsw.Connection) -> None:
    connection.execute("UPDATE devices SET name = x'ff' WHERE rowid = 1")
    assert digest(connection) is None
    connection.execute("DROP TABLE labels")
    assert digest(connection) is None
    assert digest(apsw.Connection(":memory:")) is None
