"""The past is read by page and by index: reads do not grow with the history."""

from collections.abc import Sequence
from typing import Any

import apsw
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Key
from engine.replicas.history.reading import AS_OF, fetch_count, fetch_newest, fetch_page
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.rows.replica import SqliteRows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass, sql

HOME = snapshot(ENTRY, device(1), entity(1))


def test_a_timeline_is_read_by_page_from_either_end(history: HistoryFile, ledger: SqliteRows) -> None:
    key = entity(1).key
    one_pass(history, ledger, HOME)
    for number in range(2, 8):
        one_pass(
            history, ledger, snapshot(ENTRY, entity(1, name=f"Lamp {number}")), at=NOON + number * number
        )
    assert history.count(key) == 7
    for after in range(9):
        assert [r.rev for r in history.timeline(key, after=after)] == list(range(after + 1, 8))
        assert [r.rev for r in history.timeline(key, after=after, limit=2)] == list(range(after + 1, 8))[:2]
        assert [r.rev for r in history.newest(key, 3, before=after)] == list(range(1, min(after, 8)))[-3:]
    assert [r.rev for r in history.newest(key, 2)] == [6, 7]
    absent = entity(9).key
    assert (
        history.timeline(absent, after=1),
        history.newest(absent, 1, before=2),
        history.count(absent),
    ) == ([], [], 0)


def test_a_timeline_page_and_a_home_in_the_past_read_little_of_the_file(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    one_pass(history, ledger, HOME)
    sql(
        history.path,
        "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 20000) INSERT INTO records"
        " SELECT at_ns + n.value * 1000, registry, id, op, rev + n.value, hash, payload, digest, run_id, ha_version,"
        " modified_us FROM records, n WHERE registry = 'entity'",
    )
    key, read_only = entity(1).key, apsw.Connection(str(history.path), flags=apsw.SQLITE_OPEN_READONLY)
    steps = [0]

    def count_steps() -> bool:
        steps[0] += 100
        return False

    def fetch(statement: str, _names: Sequence[str], bindings: Sequence[str | int]) -> list[Any]:
        return read_only.execute(statement, bindings).fetchall()

    read_only.set_progress_handler(count_steps, 100)
    rows = fetch_page(fetch, key, 15_000, 3)
    assert [row[4] for row in rows] == [15_001, 15_002, 15_003]
    assert [row[4] for row in fetch_newest(fetch, key, 2, 15_000)] == [14_998, 14_999]
    at = (rows[0][0],)
    assert [row[4] for row in read_only.execute(AS_OF, at) if row[1] == "entity"] == [15_001]
    assert fetch_count(fetch, key, 0) == 20_001
    assert fetch_count(fetch, key, 1) == 20_000
    # Of SQLite's machine; to read all revisions of the entity takes more than 60,000.
    assert steps[0] < 20_000 + 4 * 10_000 * 12  # which of so many counts before it believes their numbers


@pytest.mark.parametrize("rev", ["2", "'x'", "9.5", "n.value * 3"])
def test_revisions_are_counted_where_their_numbers_are_unusable(
    history: HistoryFile, ledger: SqliteRows, rev: str
) -> None:
    one_pass(history, ledger, HOME)
    sql(
        history.path,
        "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 10000) INSERT INTO records"
        f" SELECT at_ns + n.value * 1000, registry, id, op, {rev}, hash, payload, digest, run_id, ha_version,"
        " modified_us FROM records, n WHERE registry = 'entity'",
    )
    assert history.count(entity(1).key) == 10_001


def test_delays_are_those_of_records_that_home_assistant_wrote_since(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    def home(name: str, model: str, modified_at: float) -> Snapshot:
        return snapshot(ENTRY, device(1, name=name, modified_at=modified_at), device(2, model=model))

    one_pass(history, ledger, home("a", "x", NOON - 9000))
    one_pass(history, ledger, home("b", "x", NOON + 10), at=NOON + 10.5)
    one_pass(history, ledger, home("c", "x", NOON + 10), at=NOON + 60)  # as an upgrade changes records
    one_pass(history, ledger, home("d", "y", NOON + 100), at=NOON + 102)
    assert [(round(at - NOON, 2), round(took, 2)) for at, took in history.delays(NOON)] == [
        (102, 2),
        (10.5, 0.5),
    ]
    assert len(history.delays(NOON + 60)) == 1
    assert history.delays(NOON + 200) == []


def parts(history: HistoryFile, at: float, registry: str, asked: str) -> set[Key]:
    return set(history.as_of_record(at, registry, asked))


def test_one_record_as_of_a_time_is_found_with_the_records_shown_beside_it(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    area = Area(area_id="a", name="A")
    hub, lamp, other = device(1), device(2, via_device_id=device(1).id), device(3)
    glow, power = (entity(n, device_id=lamp.id) for n in (1, 2))
    loose = entity(3)
    assert history.as_of_record(NOON, "device", lamp.id) == {}
    one_pass(history, ledger, snapshot(ENTRY, area, hub, lamp, other, glow, power, loose))
    few = {ENTRY.key, area.key}
    always = few | {loose.key}  # written last: by its version everything is named
    assert parts(history, NOON, "device", lamp.id) == always | {hub.key, lamp.key, glow.key, power.key}
    assert parts(history, NOON, "device", hub.id) == always | {hub.key}
    for asked in (glow.id, glow.entity_id):
        assert parts(history, NOON, "entity", asked) == always | {glow.key, lamp.key, hub.key}
    assert parts(history, NOON, "area", "a") == always
    assert parts(history, NOON - 1, "device", lamp.id) == set()
    whole = history.as_of(NOON)
    assert history.as_of_record(NOON, "device", lamp.id).items() <= whole.items()

    one_pass(history, ledger, snapshot(ENTRY, area, hub, lamp, other, power), at=NOON + 10)
    assert glow.key not in parts(history, NOON + 10, "entity", glow.entity_id)
    assert glow.key in parts(history, NOON + 9, "entity", glow.entity_id)
    assert glow.key not in parts(history, NOON + 10, "device", lamp.id)


def test_what_a_home_depends_on_moves_with_it(history: HistoryFile, ledger: SqliteRows) -> None:
    assert history.edge(NOON) is None
    one_pass(history, ledger, HOME)
    first = history.edge(NOON)
    assert first is not None
    assert history.edge(NOON + 5) == first != history.edge(NOON - 5)
    one_pass(history, ledger, snapshot(ENTRY, entity(1, name="Lamp")), at=NOON + 3)
    assert history.edge(NOON + 5) != history.edge(NOON)


def test_another_programs_change_of_the_past_is_seen(history: HistoryFile, ledger: SqliteRows) -> None:
    one_pass(history, ledger, HOME)
    reading = open_history(history.path, read_only=True)
    first = reading.edge(NOON)
    assert reading.edge(NOON) == first
    sql(history.path, "UPDATE records SET payload = replace(payload, 'Device 1', 'Lamp')")
    assert reading.edge(NOON) != first
    reading.close()
