"""The digest over all rows differs whenever a row does; a proof that cannot be read is none."""

from pathlib import Path

import apsw
import pytest

from engine.core.compare.proof import Answer, Etag, Proof
from engine.replicas.rows.reader import select_all
from engine.replicas.rows.replica import open_rows
from engine.replicas.sqlite_file.proofs import digest_rows, read_proof, write_proof
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import one_pass

PROOF = Proof("1.0", Etag("2026.11.0", (Answer("list", {"scope": "script"}, "d"),)), "r", 3)

META = "reconcile_meta"


def digest(connection: apsw.Connection) -> tuple[str, int] | None:
    statements = select_all(connection)
    return None if statements is None else digest_rows(connection, statements)


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
        "UPDATE entities SET icon = platform, platform = icon WHERE rowid = 1",
        "DELETE FROM entities WHERE rowid = 2",
        "INSERT INTO labels (label_id, name) VALUES ('l', 'L')",
    ],
)
def test_any_change_of_any_row_changes_the_digest(connection: apsw.Connection, statement: str) -> None:
    before = digest(connection)
    assert before is not None
    assert before[1] == 5
    assert digest(connection) == before
    connection.execute(statement)
    assert digest(connection) != before


def test_columns_of_other_programs_and_a_vacuum_do_not_count(connection: apsw.Connection) -> None:
    before = digest(connection)
    connection.execute("ALTER TABLE devices ADD COLUMN health_score INTEGER DEFAULT 7")
    connection.execute("VACUUM")
    assert digest(connection) == before


def test_rows_that_are_not_ours_have_no_digest(connection: apsw.Connection) -> None:
    connection.execute("UPDATE devices SET name = CAST(x'ff' AS TEXT) WHERE rowid = 1")
    assert digest(connection) is None
    connection.execute("DROP TABLE labels")
    assert digest(connection) is None
    assert digest(apsw.Connection(":memory:")) is None


def test_a_proof_is_read_back_and_anything_else_is_none(connection: apsw.Connection) -> None:
    assert read_proof(connection, META) is None
    write_proof(connection, META, PROOF)
    write_proof(connection, META, PROOF)
    assert read_proof(connection, META) == PROOF
    for broken in ("'{}'", "'no json'", "x'00'", "7", "NULL"):
        connection.execute(f"UPDATE reconcile_meta SET value = {broken} WHERE name = 'proof'")
        assert read_proof(connection, META) is None
    assert read_proof(apsw.Connection(":memory:"), META) is None
