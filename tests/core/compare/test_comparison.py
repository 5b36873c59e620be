"""How a comparison reads in a report: statuses that never say too much, times and reasons that are known."""

import msgspec
import pytest

from engine.core.compare.comparison import Comparison, count_operations, report_records, report_replica
from engine.core.compare.diff import Cause, compare
from engine.core.compare.plan import FieldChange, make_plan
from engine.core.compare.stored import StoredRow
from engine.core.guards.guard import Policy, review
from engine.core.guards.instance import KnownHomes, entries_among
from engine.core.guards.look import Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.core.records.record_json import canonical_fields
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import (
    PlanCounts,
    write_lag_seconds,
)
from engine.core.words import Outcome, SyncStatus, combined_status
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot


def compared(
    desired: Snapshot, *stored: Record, ours: bool = True, absences: dict[Key, float] | None = None
) -> Comparison:
    have = snapshot(*stored)
    applied = have.home.hashes if ours else {}
    diff = compare(desired.home.hashes, have.home.hashes, applied, frozenset(REGISTRIES))
    rows = {
        key: StoredRow(key, canonical_fields(r), timestamps={"last_seen": "12:00"})
        for key, r in have.home.records.items()
    }
    plan = make_plan("sqlite", diff, desired, rows, with_derived=False, prune_foreign=False)
    looks = {key: Look(at) for key, at in (absences or {}).items()}
    verdict = review(
        plan,
        desired,
        applied=applied,
        homes=KnownHomes(held=entries_among(have.home.hashes)),
        observed_count=len(rows),
        absences=looks,
        policy=Policy(),
    )
    return Comparison(plan, verdict, len(rows), looks, frozenset())


def test_nothing_differs() -> None:
    report = report_replica(compared(snapshot(ENTRY), ENTRY), applied=False, error=None)
    assert (report.status, report.counts.in_sync) == ("in_sync", 1)


def test_a_plan_that_was_not_carried_out_is_out_of_sync() -> None:
    comparison = compared(snapshot(ENTRY, device(1)), ENTRY)
    assert report_replica(comparison, applied=False, error=None).status == "out_of_sync"
    assert report_replica(comparison, applied=True, error=None).status == "in_sync"
    assert report_replica(comparison, applied=True, error="ledger locked").status == "out_of_sync"


def test_counts_distinguish_missing_stale_orphaned_and_foreign() -> None:
    desired = snapshot(ENTRY, device(1, name="New"), device(2), entity(2))
    report = report_replica(
        compared(desired, ENTRY, device(1), entity(1), entity(2)), applied=False, error=None
    )
    counts = report.counts
    assert (counts.in_sync, counts.missing, counts.stale, counts.orphaned, counts.foreign) == (2, 1, 1, 1, 0)
    assert (report.planned, report.waiting) == (PlanCounts(upsert=2, delete=1), 1)


def test_a_pending_change_began_when_home_assistant_made_it() -> None:
    changed = device(1, name="New", modified_at=NOON - 30)
    (record,) = report_records(
        compared(snapshot(ENTRY, changed), ENTRY, device(1)),
        snapshot(ENTRY, changed),
        done=Outcome.PLANNED,
        compared_at=NOON,
    )
    assert (record.since, record.cause) == (NOON - 30, Cause.PENDING)


@pytest.mark.parametrize(("done", "since"), [("planned", None), ("applied", NOON)])
def test_a_change_that_home_assistant_did_not_date_began_when_it_was_found(
    done: str, since: float | None
) -> None:
    """An upgrade adds a field to every record. The row has the time of the last change already."""
    changed = device(1, sw_version="2", modified_at=NOON - 86_400)
    desired = snapshot(ENTRY, changed)
    before = device(1, sw_version="1", modified_at=NOON - 86_400 + 0.0004)
    (record,) = report_records(
        compared(desired, ENTRY, before), desired, done=Outcome(done), compared_at=NOON
    )
    assert (record.since, record.cause) == (since, Cause.PENDING)
    if done == "applied":
        assert write_lag_seconds(record, NOON + 0.5) == 0.5


def test_a_derived_change_does_not_date_from_the_records_own_change() -> None:
    desired = snapshot(ENTRY, device(1, modified_at=NOON - 3600), entity(1, device_id="d1"))
    comparison = compared(desired, ENTRY, device(1, name="Old", modified_at=NOON - 7200))
    (operation,) = (each for each in comparison.plan.operations if each.key == device(1).key)
    for names, since in (
        (["entity_count", "effective_name"], [None, NOON]),
        (["entity_count", "name"], [NOON - 3600] * 2),
    ):
        fields = tuple(FieldChange(name, 1, 2) for name in names)
        allowed = (msgspec.structs.replace(operation, fields=fields),)
        plan = msgspec.structs.replace(comparison.plan, operations=allowed)
        found = msgspec.structs.replace(
            comparison, plan=plan, verdict=msgspec.structs.replace(comparison.verdict, allowed=allowed)
        )
        reported = [
            report_records(found, desired, done=Outcome(done), compared_at=NOON)[0].since
            for done in ("planned", "applied")
        ]
        assert reported == since


def test_an_absence_began_when_it_was_first_missed() -> None:
    desired = snapshot(ENTRY, device(2))
    key = device(1).key
    comparison = compared(desired, ENTRY, device(1), device(2), absences={key: NOON - 10})
    (record,) = report_records(comparison, desired, done=Outcome.PLANNED, compared_at=NOON)
    assert (record.since, record.outcome) == (NOON - 10, Outcome.WAITING)
    assert record.why == ("missing from every read since 2026-11-23T11:59:50.000Z",)


def test_an_unknown_start_time_is_not_replaced_by_the_current_time() -> None:
    desired = snapshot(ENTRY, device(1, name="New"))
    comparison = compared(desired, ENTRY, device(1), device(2))
    for done, since in (("planned", [None, None]), ("observed", [None, None]), ("applied", [NOON, NOON])):
        records = report_records(comparison, desired, done=Outcome(done), compared_at=NOON)
        assert [(r.key, r.since) for r in records] == [
            (key.id, at) for key, at in zip((device(2).key, device(1).key), since, strict=True)
        ]


def test_drift_dates_from_the_comparison_of_the_replica() -> None:
    desired = snapshot(ENTRY, device(1))
    have = snapshot(ENTRY, device(1, name="Mocked"))
    diff = compare(desired.home.hashes, have.home.hashes, desired.home.hashes, frozenset(REGISTRIES))
    rows = {key: StoredRow(key, canonical_fields(r)) for key, r in have.home.records.items()}
    plan = make_plan("sqlite", diff, desired, rows, with_derived=False, prune_foreign=False)
    found = msgspec.structs.replace(compared(desired, ENTRY), plan=plan)
    verdict = msgspec.structs.replace(found.verdict, allowed=plan.operations)
    found = msgspec.structs.replace(found, verdict=verdict)
    (record,) = report_records(found, desired, done=Outcome.APPLIED, compared_at=NOON, found_at=NOON + 300)
    assert (record.cause, record.since) == (Cause.DRIFT, NOON + 300)


def test_records_that_are_equal_after_the_pass_are_counted() -> None:
    desired = snapshot(ENTRY, device(1, name="New"), device(2))
    comparison = compared(desired, ENTRY, device(1), entity(1))
    assert report_replica(comparison, applied=False, error=None).equal == 1
    assert report_replica(comparison, applied=True, error=None).equal == 3


def test_of_a_batch_that_was_refused_in_part_the_rest_was_applied() -> None:
    desired = snapshot(ENTRY, device(1), device(2))
    comparison = compared(desired, ENTRY)
    refused = {device(1).key}
    found = report_replica(comparison, applied=False, error="refused 1 of 2", unwritten=refused)
    assert (found.applied, found.pending, found.equal) == (PlanCounts(upsert=1), 1, 2)
    assert found.status == "out_of_sync"
    records = report_records(comparison, desired, done=Outcome.FAILED, compared_at=NOON, unwritten=refused)
    assert {r.key: r.outcome for r in records} == {device(1).id: "failed", device(2).id: "applied"}
    # Without the store's answer it is unknown.
    assert report_replica(comparison, applied=False, error="cut off").applied == PlanCounts()


def test_a_held_record_has_no_start_time_in_a_pass_without_memory() -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    desired = snapshot(ENTRY, health=starting)
    comparison = compared(desired, ENTRY, device(1))
    (record,) = report_records(comparison, desired, done=Outcome.APPLIED, compared_at=NOON)
    assert (record.outcome, record.since) == ("held", None)
    assert record.why == ("missing from this read, which is no evidence that it is gone",)


def test_foreign_rows_are_reported_with_reasons_and_without_an_action() -> None:
    desired = snapshot(ENTRY)
    comparison = compared(desired, device(7, name="Sun"), device(8, name="Moon"), ours=False)
    foreign = [
        r
        for r in report_records(comparison, desired, done=Outcome.PLANNED, compared_at=NOON)
        if r.cause == "foreign"
    ]
    assert [(r.name, r.action, r.since) for r in foreign] == [("Sun", None, None), ("Moon", None, None)]
    assert foreign[0].why[0] == "Home Assistant does not have it and the engine never wrote it"
    assert "its last_seen 12:00 is identical to that of 1 other foreign row" in foreign[0].why


def test_a_foreign_row_that_home_assistant_once_had_is_not_called_unknown() -> None:
    desired = snapshot(ENTRY)
    comparison = msgspec.structs.replace(
        compared(desired, device(7), ours=False), known_ids=frozenset({device(7).key})
    )
    reports = report_records(comparison, desired, done=Outcome.PLANNED, compared_at=NOON)
    (foreign,) = (r for r in reports if r.cause == "foreign")
    assert foreign.why[0] == "Home Assistant had it once; the engine did not write it since"


def test_operations_are_counted_by_action() -> None:
    plan = compared(snapshot(ENTRY, entity(1, entity_id="sensor.other")), entity(1), device(1)).plan
    assert count_operations(plan.operations) == PlanCounts(upsert=1, move=1, delete=1)


def test_the_whole_is_as_good_as_its_worst_part() -> None:
    assert combined_status(map(SyncStatus, ["in_sync", "in_sync"])) == "in_sync"
    assert combined_status(map(SyncStatus, ["in_sync", "out_of_sync"])) == "out_of_sync"
    assert combined_status(map(SyncStatus, ["blocked", "out_of_sync"])) == "blocked"
    assert combined_status(map(SyncStatus, ["blocked", "unknown"])) == "unknown"
    assert combined_status([]) == "unknown"
