"""What is forgotten and kept, and the file's record of it: from the retention edge on, nothing is lost."""

from random import Random

import pytest

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.kept_past import NOTHING_FORGOTTEN
from engine.errors import HistoryForgotten
from engine.replicas.history.housekeeping import Housekeeper
from engine.replicas.history.replica import HistoryFile
from engine.replicas.history.retention import KEEP_ALL, Retention
from engine.replicas.rows.replica import SqliteRows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass, sql

DAY = 86_400.0
LAMP = entity(1).key


def compact(history: HistoryFile, retention: Retention, now: float) -> tuple[int, int]:
    """One whole round; returns what was counted before, and checks that so much was forgotten."""
    housekeeper = Housekeeper(history._file, retention, lambda: now)
    plan = housekeeper.plan()
    counted = housekeeper.count(plan)
    assert sum(housekeeper.steps(plan)) == sum(counted)
    assert housekeeper.count(housekeeper.plan()) == (0, 0), "nothing is left to forget"
    return counted


def lamp(name: str) -> list[object]:
    return [ENTRY, entity(1, name=name)]


def revs(history: HistoryFile, key: Key = LAMP) -> list[int]:
    return [r.rev for r in history.timeline(key)]


def daily(history: HistoryFile, ledger: SqliteRows, days: int) -> None:
    for day in range(days):
        one_pass(history, ledger, snapshot(*lamp(f"Lamp {day}")), at=NOON + day * DAY)  # type: ignore[arg-type]


def test_a_record_keeps_its_state_at_the_edge_and_all_after_it(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    assert history.begins_at() is None
    daily(history, ledger, 10)
    assert history.begins_at() == pytest.approx(NOON)
    now = NOON + 9.5 * DAY
    assert compact(history, Retention(keep_days=4), now) == (5, 0)
    # The edge is noon and a half day after the fifth day: its state is what was recorded on the sixth.
    assert revs(history) == [6, 7, 8, 9, 10]
    edge = NOON + 5.5 * DAY
    known = history.forgotten(entity(1).key)
    assert (known.known_from, known.by_age, known.by_thinning) == (edge, 5, 0)
    # A record that has not changed since the first day is there, and nothing of it was forgotten.
    assert revs(history, ENTRY.key) == [1]
    assert history.forgotten(ENTRY.key).by_age == 0
    assert history.count(entity(1).key) == 5


def test_the_past_is_refused_before_the_retention_edge_and_unchanged_after_it(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    daily(history, ledger, 10)
    times = [NOON + hours * 3600 for hours in range(-24, 24 * 11)]
    before = {at: history.as_of(at) for at in times}
    compact(history, Retention(keep_days=4), NOON + 9.5 * DAY)
    edge = NOON + 5.5 * DAY
    for at in times:
        if at >= edge:
            assert history.as_of(at) == before[at]
            continue
        with pytest.raises(
            HistoryForgotten,
            match=r"known from 20.* on; what was before is forgotten.*history\.keep_days or by `reconcile history compact",
        ) as refused:
            history.as_of(at)
        assert refused.value.known_from == edge


def test_no_edge_is_past_the_newest_revision(history: HistoryFile, ledger: SqliteRows) -> None:
    daily(history, ledger, 9)
    one_pass(history, ledger, snapshot(ENTRY), at=NOON + 9 * DAY)
    now = NOON + 9.5 * DAY
    before = history.as_of(now)
    assert before.keys() == {ENTRY.key}
    # The clock was three weeks ahead for an hour; nothing was written meanwhile.
    compact(history, Retention(keep_days=4), now + 21 * DAY)
    assert history.as_of(now) == before
    edge = NOON + 9 * DAY + 1
    assert history.forgotten(ENTRY.key).known_from == edge
    with pytest.raises(HistoryForgotten):
        history.as_of(edge - 0.5)
    one_pass(history, ledger, snapshot(*lamp("Later")), at=now + DAY)  # type: ignore[arg-type]
    assert history.as_of(now) == before
    compact(history, Retention(keep_days=4), now + 2 * DAY)
    assert history.forgotten(ENTRY.key).known_from == edge, "it never goes back"


def test_a_deleted_record_is_forgotten_and_a_returned_one_keeps_counting(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    for day, there in enumerate(([1, 2], [1], [], [1])):
        one_pass(history, ledger, snapshot(ENTRY, *(device(n) for n in there)), at=NOON + day * DAY)
    assert compact(history, Retention(keep_days=1), NOON + 3.5 * DAY) == (4, 0)
    assert [(r.op, r.rev) for r in history.timeline(device(1).key)] == [("create", 3)]
    assert history.timeline(device(2).key) == []
    assert history.forgotten(device(1).key).by_age == 2
    assert sql(history.path, "SELECT id, by_age, by_thinning FROM forgotten") == [(device(1).id, 2, 0)]
    assert history.observe().versions == snapshot(ENTRY, device(1)).home.hashes
    one_pass(history, ledger, snapshot(ENTRY, device(1), device(2)), at=NOON + 4 * DAY)
    assert [(r.op, r.rev) for r in history.timeline(device(2).key)] == [("create", 1)]


def test_of_each_interval_that_is_over_the_last_revision_stays(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    # 12:00 to 13:55, every five minutes.
    for step in range(24):
        one_pass(history, ledger, snapshot(*lamp(f"Lamp {step}")), at=NOON + step * 300)  # type: ignore[arg-type]
    assert compact(history, Retention(thin_seconds=3600), NOON + 6900) == (0, 11)
    assert revs(history) == [12, *range(13, 25)], "the hour that is not over is whole"
    known = history.forgotten(entity(1).key)
    assert (known.known_from, known.by_age, known.by_thinning) == (None, 0, 11)
    assert (known.thinned_until, known.thinned_seconds) == (NOON + 3600, 3600)
    assert {r.rev for r in history.as_of(NOON + 3599).values()} == {1, 12}
    assert compact(history, Retention(thin_seconds=3600), NOON + 7200) == (0, 11)
    assert revs(history) == [12, 24]
    assert compact(history, Retention(thin_seconds=7200), NOON + 7200) == (0, 1), (
        "a longer interval thins again"
    )
    assert revs(history) == [24]


@pytest.mark.slow
def test_both_together_forget_each_revision_once(history: HistoryFile, ledger: SqliteRows) -> None:
    draw = Random(7)
    at = NOON
    desired: dict[int, str] = {}
    for step in range(120):
        at += draw.choice((1.0, 60.0, 3600.0, 20_000.0))
        number = draw.randint(1, 4)
        if draw.random() < 0.2:
            desired.pop(number, None)
        else:
            desired[number] = f"Name {step}"
        one_pass(
            history, ledger, snapshot(ENTRY, *(entity(n, name=name) for n, name in desired.items())), at=at
        )
    now = at + 1800
    kept = Retention(keep_days=3, thin_seconds=3600)
    edge, over = (now - 3 * DAY) // 1, now // 3600 * 3600
    before = all_of(history)
    states = {t: history.as_of(t) for t in hours(edge, over)}
    by_age, by_thinning = compact(history, kept, now)
    after = all_of(history)
    assert len(before) - len(after) == by_age + by_thinning > 40
    assert after == [r for r in before if is_kept(r, before, edge, over)]
    for t, state in states.items():
        assert history.as_of(t) == state, "at the end of each interval, and at the edge, nothing changed"
    versions = history.observe().versions
    assert versions == snapshot(ENTRY, *(entity(n, name=name) for n, name in desired.items())).home.hashes


def all_of(history: HistoryFile) -> list[Revision]:
    keys = [ENTRY.key, *(entity(n).key for n in range(1, 5))]
    return sorted((r for key in keys for r in history.timeline(key)), key=lambda r: r.at)


def hours(edge: float, over: float) -> list[float]:
    first = edge // 3600 * 3600 + 3600
    return [edge, *(first + n * 3600 - 0.002 for n in range(int((over - first) // 3600) + 1))]


def is_kept(revision: Revision, before: list[Revision], edge: float, over: float) -> bool:
    """As the settings are described, in other words than the statements'."""
    later = [r for r in before if r.key == revision.key and r.at > revision.at]
    if revision.at < edge:
        return revision.op != "delete" and not any(r.at <= edge for r in later)
    return not any(r.at // 3600 == revision.at // 3600 for r in later) or revision.at >= over


def test_without_a_setting_nothing_is_forgotten_and_nothing_is_written(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    daily(history, ledger, 10)
    before = history.data_version(), history.path.read_bytes()
    assert compact(history, KEEP_ALL, NOON + 900 * DAY) == (0, 0)
    # What is young enough is not admitted to be forgotten either.
    assert compact(history, Retention(keep_days=400, thin_seconds=60), NOON + 10 * DAY) == (0, 0)
    assert (history.data_version(), history.path.read_bytes()) == before
    assert history.forgotten(entity(1).key) == NOTHING_FORGOTTEN
    assert history.as_of(0.0) == {}
    assert sql(history.path, "SELECT value FROM meta WHERE name = 'schema_version'") == [(1,)]


def test_compaction_raises_the_schema_version_so_that_older_programs_refuse_the_file(
    history: HistoryFile, ledger: SqliteRows
) -> None:
    daily(history, ledger, 10)
    compact(history, Retention(keep_days=4), NOON + 9.5 * DAY)
    assert sql(history.path, "SELECT value FROM meta WHERE name = 'schema_version'") == [(2,)]


def test_the_edge_never_goes_back(history: HistoryFile, ledger: SqliteRows) -> None:
    daily(history, ledger, 10)
    compact(history, Retention(keep_days=2), NOON + 9.5 * DAY)
    known = history.forgotten(entity(1).key).known_from
    compact(history, Retention(keep_days=8), NOON + 9.5 * DAY)
    assert history.forgotten(entity(1).key).known_from == known


def test_a_clock_that_had_been_ahead_takes_its_edge_back(history: HistoryFile, ledger: SqliteRows) -> None:
    daily(history, ledger, 10)
    fast = NOON + 30 * DAY
    one_pass(history, ledger, snapshot(*lamp("of the future")), at=fast)  # type: ignore[arg-type]
    compact(history, Retention(keep_days=5), fast)
    assert history.forgotten(entity(1).key).known_from == fast - 5 * DAY
    now = NOON + 10 * DAY
    one_pass(history, ledger, snapshot(*lamp("now")), at=now)  # type: ignore[arg-type]
    assert [r.fields["name"] for r in history.as_of(now).values() if r.key == entity(1).key] == ["now"]


def test_names_of_forgotten_records_are_forgotten(history: HistoryFile, ledger: SqliteRows) -> None:
    for day, name in enumerate(("sensor.old", "sensor.x", "sensor.y", "sensor.z")):
        one_pass(history, ledger, snapshot(ENTRY, entity(1, entity_id=name)), at=NOON + day * DAY)
    compact(history, Retention(keep_days=1), NOON + 3.5 * DAY)
    assert history.holders("sensor.old") == history.holders("sensor.x") == []
    assert history.holders("sensor.y") == history.holders("sensor.z") == [entity(1).key]


def test_junk_of_others_is_forgotten_like_everything(history: HistoryFile, ledger: SqliteRows) -> None:
    daily(history, ledger, 3)
    sql(history.path, "UPDATE records SET id = CAST(x'ff' AS TEXT), payload = x'00', rev = 'x' WHERE rev = 1")
    sql(
        history.path,
        "INSERT INTO records SELECT at_ns + 1000, registry, id, op, rev, hash, payload, digest, run_id, ha_version, modified_us"
        " FROM records WHERE rev = 'x'",
    )
    compact(history, Retention(keep_days=1), NOON + 3 * DAY)
    assert revs(history) == [3]
    assert sql(history.path, "SELECT count(*) FROM records") == [(3,)]
