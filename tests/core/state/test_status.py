"""A status says no more than was looked at, and no longer than it stays true."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.core.records.record import Key
from engine.core.state.intervals import Freshness, Intervals
from engine.core.state.report import APPLIED_MAX, ErrorReport, PlanCounts, RecordReport, Report, SourceReport
from engine.core.state.status import (
    ReplicaStatus,
    SourceStatus,
    Status,
    lag_seconds,
    replica_status,
    status_line,
    status_word,
    why_not_ready,
    why_unknown,
)
from engine.core.times import Instant
from engine.core.words import Outcome, SyncStatus
from tests.commandline.reports import changed, report
from tests.commandline.reports import replica as of_replica

FRESHNESS = Freshness(stale_seconds=20.0, unknown_seconds=5.0)


def status(*replicas: ReplicaStatus) -> Status:
    return Status("home", "0", 0.0, SourceStatus("test", connected=True), replicas)


def in_sync(name: str = "a", **changes: Any) -> ReplicaStatus:
    """Found in sync at 10, compared at 90, its watermark at 98."""
    given = {"status_since": 10.0, "compared_at": 90.0, "synced_at": 98.0, **changes}
    return ReplicaStatus(name, SyncStatus.IN_SYNC, **given)


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        ((), "unknown"),
        ((in_sync(),), "in_sync"),
        ((in_sync(compared_at=79.0),), "unknown"),
        ((in_sync(synced_at=94.0),), "unknown"),
        ((in_sync(synced_at=None),), "unknown"),
        ((ReplicaStatus("a", SyncStatus.IN_SYNC),), SyncStatus.UNKNOWN),
        ((in_sync(), ReplicaStatus("b", SyncStatus.BLOCKED, compared_at=99.0)), SyncStatus.BLOCKED),
        (
            (
                ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0),
                ReplicaStatus("b", SyncStatus.IN_SYNC),
            ),
            SyncStatus.UNKNOWN,
        ),
        ((in_sync(), in_sync("b", unproven_since=99.0)), "unknown"),
        ((in_sync(), in_sync("b", error="its ledger cannot be read")), "unknown"),
        ((in_sync(), in_sync("b", pending=1, pending_since=99.0)), "out_of_sync"),
    ],
)
def test_the_word_for_the_whole(replicas: tuple[ReplicaStatus, ...], expected: str) -> None:
    assert status_word(status(*replicas), 100.0, FRESHNESS) == expected


def test_the_status_is_not_in_sync_while_a_pass_could_not_compare_everything() -> None:
    failed = report(errors=(ErrorReport("sqlite", "away", "", transient=True),))
    for replica, last, word in (
        (in_sync(), report(), "in_sync"),
        (in_sync(), failed, "unknown"),
        (ReplicaStatus("a", SyncStatus.BLOCKED, compared_at=99.0), failed, "blocked"),
    ):
        whole = replace(status(replica), report=last)
        assert status_word(whole, 100.0, FRESHNESS) == word


def test_an_error_of_another_store_takes_no_knowledge_of_this_one() -> None:
    known = in_sync(error="the disk of the ledger is full", is_error_elsewhere=True)
    assert replica_status(known, 101.0, FRESHNESS)[0] == "in_sync"
    assert replica_status(in_sync(error="its own disk is full"), 101.0, FRESHNESS)[0] == "unknown"


def test_one_line_has_the_word_of_the_whole_and_of_each_replica() -> None:
    both = status(in_sync(), ReplicaStatus("b", SyncStatus.BLOCKED, compared_at=99.0))
    assert status_line(both, 100.0, FRESHNESS) == "blocked: a in_sync, b blocked"
    assert status_line(status(), 100.0, FRESHNESS) == "unknown: no replica"


@pytest.mark.parametrize(
    "made", [SourceStatus("uri", connected=True), ReplicaStatus("a", SyncStatus.IN_SYNC)], ids=type
)
def test_all_times_move_when_the_wall_clock_is_set(made: Any) -> None:
    times = [name for name in made.__struct_fields__ if name.endswith(("_at", "_since"))]
    assert len(times) == {"SourceStatus": 2, "ReplicaStatus": 9}[type(made).__name__]
    assert made.shifted(5.0) == made, "what never was is never later"
    for number, name in enumerate(times):
        assert replace(made, **{name: 10.0 + number}).shifted(5.0) == replace(made, **{name: 15.0 + number})


def test_in_sync_becomes_unknown_when_its_watermark_is_too_old() -> None:
    assert replica_status(in_sync(), 103.0, FRESHNESS) == ("in_sync", 10.0)
    assert replica_status(in_sync(), 103.1, FRESHNESS) == ("unknown", 103.0)


def test_in_sync_becomes_unknown_when_the_last_full_comparison_is_too_old() -> None:
    freshness = replace(FRESHNESS, unverified_seconds=12.0)
    assert replica_status(in_sync(verified_at=89.0), 101.0, freshness) == ("in_sync", 10.0)
    assert replica_status(in_sync(verified_at=89.0), 101.1, freshness) == ("unknown", 101.0)
    found = ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, status_since=10.0, compared_at=90.0, verified_at=80.0)
    assert replica_status(found, 101.0, freshness) == ("out_of_sync", 10.0)


def test_a_status_becomes_unknown_when_its_comparison_is_too_old() -> None:
    replica = ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, status_since=10.0, compared_at=90.0)
    assert replica_status(replica, 110.0, FRESHNESS) == ("out_of_sync", 10.0)
    assert replica_status(replica, 111.0, FRESHNESS) == ("unknown", 110.0)
    failed = ReplicaStatus("a", SyncStatus.UNKNOWN, status_since=95.0, compared_at=90.0)
    assert replica_status(failed, 111.0, FRESHNESS) == ("unknown", 95.0)


@pytest.mark.parametrize("word", ["in_sync", "out_of_sync", "blocked"])
def test_nothing_is_known_from_the_loss_of_home_assistant_on(word: str) -> None:
    replica = ReplicaStatus(
        "a", SyncStatus(word), 10.0, synced_at=98.0, compared_at=98.0, unproven_since=99.0
    )
    assert replica_status(replica, 99.0, FRESHNESS) == (SyncStatus.UNKNOWN, 99.0)


def test_two_intervals_without_a_comparison_are_too_long() -> None:
    assert Intervals(verify_seconds=300, relist_seconds=600).freshness.stale_seconds == 1200
    assert Intervals(verify_seconds=900, relist_seconds=600).freshness.stale_seconds == 1800


def test_a_watermark_may_always_be_three_heartbeats_old() -> None:
    assert Intervals().freshness.unknown_seconds == 60
    assert Intervals(unknown_seconds=5).freshness.unknown_seconds == 30
    assert Intervals(heartbeat_seconds=60).freshness.unknown_seconds == 180


def record(outcome: str) -> RecordReport:
    return changed("Lamp", replica="a", outcome=outcome)


@pytest.mark.parametrize(
    ("replica", "records", "why"),
    [
        (in_sync(), (), None),
        (in_sync(error="the disk is full"), (), "the disk is full"),
        (
            ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0, error="the disk is full"),
            (record("failed"),),
            "the disk is full",
        ),
        (
            ReplicaStatus("a", SyncStatus.BLOCKED, compared_at=99.0),
            (record("held"),),
            "a guard holds changes back",
        ),
        (ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0), (record("waiting"),), None),
        (
            ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0),
            (record("waiting"), record("reported"), record("failed")),
            "it is known to differ in 2 records (1 failed, 1 reported)",
        ),
        (
            ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0),
            (record("observed"),),
            "it is known to differ in 1 record (1 observed)",
        ),
        (in_sync(pending=1, pending_since=96.0), (), None),
        (in_sync(pending=1, pending_since=95.0), (), None),
        (
            ReplicaStatus("a", SyncStatus.OUT_OF_SYNC, compared_at=99.0),
            (record("failed"),),
            "it is known to differ in 1 record (1 failed)",
        ),
        (
            in_sync(unproven_since=99.0),
            (),
            "unknown: Home Assistant was lost, and nothing was compared since",
        ),
        (in_sync(compared_at=None), (), "unknown: nothing was compared yet"),
        (in_sync(compared_at=50.0), (), "unknown: not looked at for too long"),
        (
            ReplicaStatus("a", SyncStatus.UNKNOWN, compared_at=99.0),
            (),
            "unknown: another program may have written to it, and nothing was compared since",
        ),
        (
            replace(in_sync(), status=SyncStatus.OUT_OF_SYNC),
            (),
            "it is known to differ in rows that could not be compared",
        ),
        (in_sync(pending=1, pending_since=94.0), (), "it is known to differ; 1 change waits to be written"),
        (in_sync(pending=2, pending_since=94.0), (), "it is known to differ; 2 changes wait to be written"),
    ],
)
def test_who_may_be_relied_upon(replica: ReplicaStatus, records: Any, why: str | None) -> None:
    assert why_not_ready(replica, report(*records), 100.0, FRESHNESS) == why


def test_lag_grows_while_nothing_is_compared_and_is_absent_when_never_in_sync() -> None:
    replica = ReplicaStatus("a", SyncStatus.IN_SYNC, synced_at=90.0)
    assert lag_seconds(replica, 100.0) == 10.0
    assert lag_seconds(replica, 110.0) == 20.0
    assert lag_seconds(replica, 80.0) == 0.0
    assert lag_seconds(ReplicaStatus("a", SyncStatus.UNKNOWN), 100.0) is None


BEFORE = ReplicaStatus(
    "sqlite",
    SyncStatus.OUT_OF_SYNC,
    status_since=10.0,
    synced_at=5.0,
    compared_at=6.0,
    succeeded_at=7.0,
    pending=2,
    pending_since=8.0,
    changed=frozenset({Key("device", "d")}),
)


def after(of: Report, known: ReplicaStatus = BEFORE) -> ReplicaStatus:
    return known.after(of, now=100.0, since=90.0, taken_at=95.0, true_at=98.0)


def test_a_pass_without_differences_moves_the_watermark_to_the_last_confirmed_read() -> None:
    found = report(replicas=(of_replica(),))
    assert after(found) == ReplicaStatus(
        "sqlite",
        SyncStatus.IN_SYNC,
        status_since=90.0,
        synced_at=98.0,
        compared_at=95.0,
        succeeded_at=100.0,
        report=found,
    )


def test_an_incomplete_pass_keeps_the_watermark_and_reports_pending_changes_and_their_age() -> None:
    left = report(
        replicas=(of_replica(status="out_of_sync", planned=PlanCounts(upsert=3), applied=PlanCounts(1)),)
    )
    found = after(left)
    assert (found.status, found.synced_at, found.compared_at, found.succeeded_at) == (
        "out_of_sync",
        5.0,
        95.0,
        100.0,
    )
    assert (found.pending, found.pending_since) == (2, 8.0), "since it was known first"
    fresh = after(left, replace(BEFORE, pending=0, pending_since=None))
    assert (fresh.pending, fresh.pending_since) == (2, 95.0)


def test_a_pass_that_could_not_compare_changes_only_the_status() -> None:
    error = ErrorReport("sqlite", "The disk is away.", "Plug it in.", transient=True)
    found = after(report(replicas=(of_replica(status="unknown"),), errors=(error,)))
    assert (found.status, found.status_since) == ("unknown", 90.0)
    assert (found.synced_at, found.compared_at, found.succeeded_at) == (5.0, 6.0, 7.0)
    assert (found.pending, found.pending_since) == (2, 8.0)
    assert (found.error, found.is_error_elsewhere) == ("The disk is away. Plug it in.", False)


def test_an_error_of_another_store_alone_is_one_elsewhere() -> None:
    own = ErrorReport("history", "Full.", "", transient=True)
    other = ErrorReport("sqlite", "Locked.", "Wait.", transient=True)
    of_history = replace(BEFORE, replica="history")
    found = [
        after(report(replicas=(of_replica("history"),), errors=errors), of_history)
        for errors in ((other,), (other, own), (own,), ())
    ]
    assert [each.is_error_elsewhere for each in found] == [True, False, False, False]
    assert [each.error for each in found] == ["Locked. Wait.", "Locked. Wait.", "Full.", None]


def test_after_thousands_of_writes_only_the_remaining_differences_are_kept() -> None:
    written = [changed(f"{n}", outcome=Outcome.APPLIED) for n in range(APPLIED_MAX + 1)]
    kept = after(report(*written, replicas=(of_replica(),))).report
    assert kept is not None
    assert kept.records == ()


def test_a_change_that_was_announced_and_not_read_is_why_a_replica_is_unknown() -> None:
    announced = in_sync(unread_since=99.0)
    assert (
        why_unknown(announced, FRESHNESS)
        == "unknown: Home Assistant announced a change, and it was not read yet"
    )


def test_of_a_backup_that_is_too_old_its_date_is_why_a_replica_is_unknown() -> None:
    source = SourceReport("backup:b.tar", True, backup_at=Instant(1795434000.5))
    assert why_unknown(in_sync(report=report(source=source)), FRESHNESS) == (
        "unknown: the backup was made at 2026-11-23T11:40:00.500Z, and what Home Assistant changed since then is not in it"
    )
