"""Revisions are appended with times that rise, and read back."""

import apsw
import pytest

from engine.errors import ReplicaDiverged
from engine.ports import Run
from engine.replicas.history.appending import append, note_of
from engine.replicas.history.revisions import Draft
from engine.replicas.history.schema import ensure_records
from tests.homes import NOON, device

RUN = Run("run", NOON, "test", "2026.11.0")


@pytest.fixture
def connection() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    ensure_records(made, "history")
    return made


def test_numbers_and_times_rise(connection: apsw.Connection) -> None:
    record = device(1)
    draft = Draft(record.key, "create", record, "1:a")
    for _ in range(3):
        append(connection, "history", [draft], RUN)
    rows = connection.execute("SELECT at_ns, rev FROM records ORDER BY at_ns").fetchall()
    first = int(NOON * 1_000_000_000)
    assert rows == [(first, 1), (first + 1, 2), (first + 2, 3)]


def test_what_a_trigger_alters_is_refused(connection: apsw.Connection) -> None:
    connection.execute(
        "CREATE TRIGGER t AFTER INSERT ON records BEGIN UPDATE records SET payload = 'x' WHERE at_ns = new.at_ns; END"
    )
    record = device(1)
    with pytest.raises(ReplicaDiverged, match="does not read back"):
        append(connection, "history", [Draft(record.key, "create", record, "1:a")], RUN)


def test_only_redated_revisions_are_noted(connection: apsw.Connection) -> None:
    assert note_of(append(connection, "history", [], RUN), NOON) is None
