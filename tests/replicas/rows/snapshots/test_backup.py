"""A snapshot is the whole file at one moment, proved before it takes a name; what is no such file is refused."""

import stat
from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected
from engine.replicas.rows.replica import open_rows
from engine.replicas.rows.snapshots.backup import Content, read_snapshot, take_snapshot
from tests.homes import snapshot
from tests.replicas.passes import captured_records, folder_state, one_pass, sql


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A filled rows file that is in use: its log is not yet in the file."""
    path = tmp_path / "home" / "rows.db"
    desired = snapshot(*captured_records("2026.11.0"))
    store = open_rows(path)
    one_pass(store, store, desired)
    store.close()
    return path


def test_a_snapshot_is_one_private_file_that_holds_everything(rows: Path, tmp_path: Path) -> None:
    sql(rows, "CREATE TABLE others (a)")
    sql(rows, "INSERT INTO others VALUES ('kept')")
    before = folder_state(rows.parent)
    found = take_snapshot(rows, tmp_path / "copy.db")
    assert found.records == found.as_applied > 200
    assert folder_state(rows.parent) == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy.db"]
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    for table in ("devices", "entities", "reconcile_applied", "reconcile_changes", "others"):
        statement = f"SELECT * FROM {table}"
        assert sql(tmp_path / "copy.db", statement) == sql(rows, statement)
    connection, again = read_snapshot(tmp_path / "copy.db")
    connection.close()
    assert again == found


def test_rows_that_others_changed_are_counted(rows: Path, tmp_path: Path) -> None:
    sql(rows, "UPDATE devices SET name = 'Mocked' WHERE device_id = (SELECT min(device_id) FROM devices)")
    found = take_snapshot(rows, tmp_path / "copy.db")
    assert found == Content(found.records, found.records - 1)


def test_what_was_committed_to_the_log_only_is_in_it(rows: Path, tmp_path: Path) -> None:
    other = apsw.Connection(str(rows))  # as long as it is open, the log stays
    try:
        other.execute("UPDATE areas SET name = 'In the log'")
        take_snapshot(rows, tmp_path / "copy.db")
    finally:
        other.close()
    assert sql(tmp_path / "copy.db", "SELECT DISTINCT name FROM areas") == [("In the log",)]


def refused(kind: type[ReplicaError], path: Path) -> str:
    with pytest.raises(kind) as caught:
        read_snapshot(path)
    assert str(path) in caught.value.message
    return caught.value.message


def test_what_is_no_snapshot_is_refused(rows: Path, tmp_path: Path) -> None:
    assert "no file" in refused(ReplicaRejected, tmp_path / "absent.db")
    assert "no file" in refused(ReplicaRejected, tmp_path)
    (tmp_path / "text.db").write_text("not a database" * 100)
    refused(ReplicaDamaged, tmp_path / "text.db")
    sql(tmp_path / "others.db", "CREATE TABLE devices (device_id PRIMARY KEY, name)")
    assert "not kept by reconcile" in refused(ReplicaRejected, tmp_path / "others.db")
    take_snapshot(rows, tmp_path / "newer.db")
    sql(tmp_path / "newer.db", "UPDATE reconcile_meta SET value = 99 WHERE name = 'schema_version'")
    assert "schema version 99" in refused(ReplicaRejected, tmp_path / "newer.db")


def test_a_damaged_file_is_not_copied_and_does_not_replace_a_sound_snapshot(
    rows: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"
    take_snapshot(rows, target)
    sound = target.read_bytes()
    spoil_page(rows)
    with pytest.raises(ReplicaDamaged) as caught:
        take_snapshot(rows, target)
    assert str(rows) in caught.value.message
    assert target.read_bytes() == sound
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy.db"]
    spoil_page(target)
    refused(ReplicaDamaged, target)


def spoil_page(path: Path) -> None:
    """Overwrite the root of the table `devices`."""
    sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = sql(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'devices'")[0]
    assert isinstance(page, int)
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 : (page - 1) * 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)


def test_a_folder_that_is_not_there_is_named(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(ReplicaRejected, match=r"absent/copy\.db"):
        take_snapshot(rows, tmp_path / "absent" / "copy.db")


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_snapshot_does_not_keep_the_log_of_another_database(
    rows: Path, tmp_path: Path, ending: str
) -> None:
    target = tmp_path / "copy.db"
    log = tmp_path / f"copy.db{ending}"
    log.write_bytes(b"of a database that was removed")
    with pytest.raises(ReplicaRejected, match=f"{ending} is the log of another database"):
        take_snapshot(rows, target)
    assert not target.exists()
    assert log.read_bytes() == b"of a database that was removed"
    log.write_bytes(b"")
    take_snapshot(rows, target)
