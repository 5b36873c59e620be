"""The last day in memory: lag, changes, and how long writes took."""

from pathlib import Path

import pytest

from api.activity import SLOT_SECONDS, SLOTS, Activity
from engine.core.compare.diff import Cause
from engine.core.state.report import Report
from engine.core.state.status import ReplicaStatus, Status
from engine.core.words import SyncStatus
from engine.errors import ReplicaUnavailable
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from tests.api.serving import status_of
from tests.commandline.reports import added, changed, report
from tests.homes import NOON
from tests.replicas.passes import sql

Sample = tuple[Path, Report]


def lagging(seconds: float | None, now: float) -> Status:
    synced_at = None if seconds is None else now - seconds
    return status_of(None, replicas=(ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=synced_at),))


def label_at(activity: Activity, now: float) -> str:
    day = activity.changes_day(now)
    assert day is not None
    return day.label


async def test_a_slot_shows_its_greatest_lag_and_an_unobserved_one_is_a_gap(rows: Path) -> None:
    activity, rows_reader = Activity(), SqliteRowsReader(rows)
    for slot, lag in ((0, 3.0), (0, 9.0), (0, 1.0), (2, 30.0), (3, None), (4, 2.0)):
        now = NOON + slot * SLOT_SECONDS
        await activity.look(lambda lag=lag, now=now: lagging(lag, now), rows_reader, now)  # type: ignore[misc]
    day = activity.lag_day("sqlite", NOON + 4 * SLOT_SECONDS)
    assert day is not None
    assert day.label == "Lag over the last 30 min: at most 30 s"
    assert day.path.count("M") == 3
    assert activity.lag_day("sqlite", NOON + SLOTS * SLOT_SECONDS + 1) is None, (
        "a day later two slots are left"
    )
    assert activity.lag_day("history", NOON) is None
    await rows_reader.aclose()


async def test_changes_are_counted_once_from_before_this_process_on(rows: Path) -> None:
    activity, rows_reader = Activity(), SqliteRowsReader(rows)
    assert activity.changes_day(NOON) is None
    for _ in range(2):
        await activity.look(lambda: lagging(0.0, NOON), rows_reader, NOON)
    assert label_at(activity, NOON) == ("205 changes in the last 24 hours, most around 12:00 UTC: 205")
    sql(
        rows,
        "INSERT INTO reconcile_changes (run_id, changed_at, op, registry, id, cause)"
        f" VALUES ('r', {NOON + 700}, 'u', 'device', 'd', 'pending')",
    )
    await activity.look(lambda: lagging(0.0, NOON), rows_reader, NOON + 700)
    assert label_at(activity, NOON + 700).startswith("206 changes")
    assert (
        label_at(activity, NOON + SLOTS * SLOT_SECONDS)
        == "1 change in the last 24 hours, most around 12:10 UTC: 1"
    )
    # Another file comes to the path, with fewer changes.
    sql(rows, f"DELETE FROM reconcile_changes WHERE changed_at > {NOON}")
    sql(rows, "DELETE FROM reconcile_changes WHERE seq > 3")
    await activity.look(lambda: lagging(0.0, NOON), rows_reader, NOON + 700)
    assert label_at(activity, NOON + 700).startswith("3 changes")
    await rows_reader.aclose()


async def test_an_unreadable_store_is_read_again(tmp_path: Path) -> None:
    activity, rows_reader = Activity(), SqliteRowsReader(tmp_path / "none.db")
    await activity.look(lambda: lagging(0.0, NOON), rows_reader, NOON)
    assert activity.changes_day(NOON) is None, "none were counted, which is not that there were none"
    await rows_reader.aclose()


def test_only_changes_from_home_assistant_to_known_records_have_a_delay() -> None:
    activity = Activity()
    reported = report(
        changed("Lamp", ("name", "a", "b"), outcome="applied"),
        changed("Drifted", ("name", "a", "b"), outcome="applied", cause=Cause.DRIFT),
        changed("Held", ("name", "a", "b"), outcome="held"),
        added("New", outcome="applied"),
    )
    activity.on_pass(reported, NOON + 0.038)
    took = activity.write_seconds((reported.run_id, "device", "lamp"))
    assert took == pytest.approx(0.038, abs=1e-4)
    for key in ("drifted", "held", "new"):
        assert activity.write_seconds((reported.run_id, "device", key)) is None
    activity.on_pass(report(*[changed(f"r{n}", outcome="applied") for n in range(51)]), NOON)
    assert activity.write_seconds((reported.run_id, "device", "r1")) is None, "a first fill is no lag"


async def test_delays_are_recalled_from_the_records_once_and_go_on_from_there(rows: Path) -> None:
    activity, rows_reader = Activity(), SqliteRowsReader(rows)
    asked: list[float] = []

    async def recorded(since: float) -> list[tuple[float, float]]:
        asked.append(since)
        if len(asked) == 1:
            raise ReplicaUnavailable("history", "It is locked.", "Wait.")
        return [(NOON - 7200, 0.04), (NOON - 7200, 0.06), (NOON - 600, 9.0)]

    for _ in range(3):
        await activity.look(lambda: lagging(0.0, NOON), rows_reader, NOON, recorded)
    assert len(asked) == 2
    assert asked[0] == pytest.approx(NOON - SLOTS * SLOT_SECONDS, abs=SLOT_SECONDS)
    day = activity.delays_day(NOON)
    assert day is not None
    assert day.label.endswith("half of them within 60 ms, 95 % within 9 s, the slowest after 9 s")
    assert day.path.count("M") == 2
    activity.on_pass(report(changed("Lamp", ("name", "a", "b"), outcome="applied")), NOON + 30)
    day = activity.delays_day(NOON)
    assert day is not None
    assert day.label.endswith("the slowest after 30 s")
    assert activity.delays_day(NOON + 2 * SLOTS * SLOT_SECONDS) is None
    await rows_reader.aclose()
