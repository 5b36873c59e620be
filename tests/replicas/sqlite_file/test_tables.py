"""Our files are distinguished by their tables: one in the place of another is refused, and no byte of either changes."""

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaError, ReplicaRejected
from engine.ports import Run
from engine.replicas.history.replica import open_history
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.rows.replica import open_rows
from engine.replicas.sqlite_file.tables import ROWS, check_kind, has_table
from tests.homes import ENTRY, NOON, device, snapshot
from tests.replicas.passes import one_pass


def make_rows(path: Path) -> None:
    rows = open_rows(path)
    one_pass(rows, rows, snapshot(ENTRY, device(1)))
    rows.close()


def make_history(path: Path) -> None:
    history = open_history(path)
    history.keep_order({}, Run("run", NOON, "test", None, {}, NOON))
    history.close()


def make_outbox(path: Path) -> None:
    outbox = open_outbox("influxdb", path)
    outbox.put("influxdb", b"m f=1i 1")
    outbox.close()


def use_rows(path: Path) -> None:
    rows = open_rows(path)
    try:
        rows.observe()
    finally:
        rows.close()


def use_history(path: Path) -> None:
    history = open_history(path)
    try:
        history.observe()
    finally:
        history.close()


def write_history(path: Path) -> None:
    history = open_history(path)
    try:
        history.keep_order({}, Run("run", NOON, "test", None, {}, NOON))
    finally:
        history.close()


def use_outbox(path: Path) -> None:
    outbox = open_outbox("influxdb", path)
    try:
        outbox.pending("influxdb")
    finally:
        outbox.close()


MADE = {"rows file": make_rows, "history file": make_history, "outbox": make_outbox}
USES = {
    "rows file": (use_rows, make_rows),
    "history file": (use_history, write_history),
    "outbox": (use_outbox, make_outbox),
}


@pytest.mark.parametrize("wanted", USES)
@pytest.mark.parametrize("found", MADE)
def test_each_kind_of_database_is_accepted_only_as_itself(tmp_path: Path, found: str, wanted: str) -> None:
    path = tmp_path / "it.db"
    MADE[found](path)
    before = path.read_bytes()
    for use in USES[wanted]:
        if found == wanted:
            use(path)
            continue
        reported = refusal(use, path)
        if reported is not None:
            assert f"{found}, but a" in str(reported)
            assert wanted in str(reported)
            assert "rows.file" in reported.hint
        assert path.read_bytes() == before


def refusal(use: Callable[[Path], None], path: Path) -> ReplicaError | None:
    """What was raised; None if a pass reported it, which the rows' writer does here."""
    try:
        use(path)
    except ReplicaRejected as error:
        return error
    return None


def test_a_table_of_another_program_does_not_count_as_ours(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "it.db"))
    connection.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, title TEXT)")
    connection.close()
    use_rows(tmp_path / "it.db")
    use_outbox(tmp_path / "it.db")


def test_only_a_table_or_a_view_is_one() -> None:
    connection = apsw.Connection(":memory:")
    assert not has_table(connection, "meta")
    connection.execute(
        "CREATE TABLE meta (name); CREATE INDEX by_name ON meta (name); CREATE VIEW v AS SELECT 1"
    )
    assert [has_table(connection, name) for name in ("meta", "by_name", "v", "other")] == [
        True,
        False,
        True,
        False,
    ]


def test_one_statement_tells_which_of_our_tables_are_there() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE reconcile_meta (name, value); CREATE VIEW meta AS SELECT 1; CREATE TABLE more (a)"
    )
    asked = list[str]()

    def note(_cursor: apsw.Cursor, statement: str, _bindings: object) -> bool:
        asked.append(statement)
        return True

    connection.exec_trace = note
    assert check_kind(connection, "sqlite", ROWS) == {"reconcile_meta", "meta"}
    assert len(asked) == 1
