"""The memory of a SQLite file which home it is of."""

from pathlib import Path

import apsw
import pytest
from msgspec import structs

from engine.core.records.record import Key
from engine.errors import ReplicaError
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from engine.replicas.sqlite_file.remembered_home import decode_home, keep_home
from tests.fakes.world import MemoryLedger
from tests.homes import ENTRY, device, snapshot
from tests.replicas.passes import plan_of, run_of, sql


@pytest.fixture
def connection() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    made.execute("CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID")
    return made


def test_a_kept_home_is_found_and_replaces_the_earlier_one(connection: apsw.Connection) -> None:
    assert decode_home(connection, "meta") == frozenset()
    for home in ({"a", "b"}, {"c"}):
        keep_home(connection, "meta", frozenset(home))
        assert decode_home(connection, "meta") == home


@pytest.mark.parametrize("value", [7, None, "no JSON", '{"a": 1}', "[1, 2]", b"\xff"])
def test_a_note_by_another_program_does_not_count_as_memory(
    connection: apsw.Connection, value: object
) -> None:
    connection.execute("INSERT INTO meta VALUES ('home', ?)", (value,))
    assert decode_home(connection, "meta") == frozenset()


def test_both_files_remember_and_looking_makes_none(tmp_path: Path) -> None:
    for store in (open_rows(tmp_path / "r.db"), open_history(tmp_path / "h.db")):
        assert store.home() == frozenset()
        assert not store.path.exists()
        store.remember_home(frozenset({"a"}))
        store.close()
    assert open_rows(tmp_path / "r.db").home() == open_history(tmp_path / "h.db").home() == {"a"}


def test_of_a_table_that_others_wrote_every_text_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    sql(path, "CREATE TABLE config_entries (entry_id, title)")
    for value in ("a", 7, None):
        sql(path, "INSERT INTO config_entries VALUES (?, 'x')", value)
    sql(path, "INSERT INTO config_entries VALUES (CAST(x'ff' AS TEXT), 'x')")
    assert open_rows(path).home() == {"a", "7", "\ufffd"}


def test_the_home_of_a_run_is_written_together_with_its_operations_or_not_at_all(tmp_path: Path) -> None:
    desired = snapshot(ENTRY, device(1))
    for store, table in (
        (open_rows(tmp_path / "r.db"), "config_entries"),
        (open_history(tmp_path / "h.db"), "records"),
    ):
        store.remember_home(frozenset({"a"}))
        run = structs.replace(run_of(store, desired), home=frozenset({"a", "b"}), order={Key("area", "x"): 0})
        operations = plan_of(store, MemoryLedger(), desired).operations
        sql(store.path, f"CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(ReplicaError):
            store.apply(operations, run)
        assert store.home() == {"a"}
        assert store.order() == {}
        sql(store.path, "DROP TRIGGER t")
        store.apply(operations, run)
        assert store.home() == {"a", "b"}
        assert store.order() == (run.order if store.keeps_order else {})
        store.close()
