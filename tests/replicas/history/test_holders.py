"""The holders of an entity_id are looked up, not searched for, and are right for revisions of any program."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from engine.replicas.history.holders import find_holders, forget_holders, is_whole, read_in
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, NOON, entity, snapshot
from tests.replicas.passes import one_pass, sql

NAMES = ("sensor.x", "sensor.y", "sensor.x")


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryFile]:
    """One entity that was renamed there and back, and one that took its name meanwhile."""
    history, rows = open_history(tmp_path / "history.db"), open_rows(tmp_path / "rows.db")
    for at, name in enumerate(NAMES):
        other = [entity(2, entity_id="sensor.x")] if name != "sensor.x" else []
        one_pass(history, rows, snapshot(ENTRY, entity(1, entity_id=name), *other), at=NOON + at)
    rows.close()
    yield history
    history.close()


def as_earlier_release(path: Path) -> None:
    """The file as a program made it that knew no such table."""
    sql(path, "DROP TRIGGER bearers_insert; DROP TRIGGER bearers_update; DROP TABLE bearers")
    sql(path, "DELETE FROM meta WHERE name = 'bearers'")


def test_every_name_is_found_without_a_look_at_the_revisions(history: HistoryFile) -> None:
    connection = apsw.Connection(str(history.path))
    steps = [0]

    def count_steps() -> bool:
        steps[0] += 1
        return False

    sql(
        history.path,
        "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 5000) INSERT INTO records"
        " SELECT at_ns + n.value * 1000, registry, id, op, rev + n.value, hash, payload, digest, run_id, ha_version,"
        " modified_us FROM records, n WHERE registry = 'entity' AND op = 'create'",
    )
    connection.set_progress_handler(count_steps, 1)
    assert sorted(find_holders(connection, "sensor.x")) == [entity(1).id, entity(2).id]
    assert find_holders(connection, "sensor.y") == [entity(1).id]
    assert find_holders(connection, "sensor.") == []
    assert steps[0] < 500
    connection.close()


def test_a_file_of_an_earlier_release_is_indexed_in_steps_with_correct_answers_meanwhile(
    history: HistoryFile,
) -> None:
    history.close()
    as_earlier_release(history.path)
    assert history.holders("sensor.x") == [entity(1).key, entity(2).key]
    connection = apsw.Connection(str(history.path))
    for _ in range(10):
        assert sorted(find_holders(connection, "sensor.x")) == [entity(1).id, entity(2).id]
        read_in(connection, 2)
    assert is_whole(connection)
    assert connection.execute("SELECT entity_id, id FROM bearers ORDER BY 1, 2").fetchall() == [
        ("sensor.x", entity(1).id),
        ("sensor.x", entity(2).id),
        ("sensor.y", entity(1).id),
    ]
    # The newest revision with that name.
    assert connection.execute(
        "SELECT b.at_ns = (SELECT max(at_ns) FROM records WHERE id = b.id AND op <> 'delete')"
        " FROM bearers AS b WHERE entity_id = 'sensor.x' AND id = ?",
        (entity(1).id,),
    ).fetchall() == [(1,)]
    connection.close()


def test_what_another_program_wrote_is_found_and_junk_stops_nothing(history: HistoryFile) -> None:
    sql(history.path, "UPDATE records SET payload = 'junk' WHERE rowid = (SELECT min(rowid) FROM records)")
    for number, payload in enumerate(("{", "[]", "7", '{"entity_id": 7}', '{"entity_id": "sensor.z"}')):
        sql(
            history.path,
            "INSERT INTO records SELECT max(at_ns) + 1, 'entity', ?, 'update', 1, '-', ?, '', '', NULL, NULL FROM records",
            f"other {number}",
            payload,
        )
    sql(history.path, "UPDATE records SET payload = CAST(x'ff' AS TEXT) WHERE id = 'other 0'")
    sql(history.path, "UPDATE records SET payload = x'ff' WHERE id = 'other 1'")
    assert [key.id for key in history.holders("sensor.z")] == ["other 4"]


def test_a_name_is_forgotten_with_the_last_revision_that_says_it(history: HistoryFile) -> None:
    connection = apsw.Connection(str(history.path))
    [(end,)] = connection.execute("SELECT max(at_ns) + 1 FROM records")
    forget_holders(connection, end)
    assert find_holders(connection, "sensor.y") == [entity(1).id]
    connection.execute("DELETE FROM records WHERE instr(payload, 'sensor.y')")
    forget_holders(connection, end)
    assert find_holders(connection, "sensor.y") == []
    assert sorted(find_holders(connection, "sensor.x")) == [entity(1).id, entity(2).id]
    connection.close()
