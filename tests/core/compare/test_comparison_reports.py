"""Each number, word and reason that a report says of a replica and of one record of it."""

import msgspec
import pytest

from engine.core.compare.comparison import Comparison, Reported, report_records, report_replica, status_of
from engine.core.compare.diff import Cause, Kind
from engine.core.compare.kept import Kept
from engine.core.compare.plan import Action, FieldChange, Operation
from engine.core.compare.stored import StoredRow
from engine.core.guards.guard import Refusal, Verdict
from engine.core.guards.look import Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.core.state.report import (
    Counts,
    PlanCounts,
    RecordReport,
    RefusalReport,
    ReplicaReport,
)
from engine.core.times import instant
from engine.core.words import GuardName, Outcome, SyncStatus
from tests.core.compare.test_comparison import compared
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot

NOTHING = Verdict((), (), (), ())


def reports_of(comparison: Comparison, desired: Snapshot, **given: object) -> list[RecordReport]:
    arguments = {"done": Outcome.APPLIED, "compared_at": NOON, **given}
    return report_records(comparison, desired, **arguments)  # type: ignore[arg-type]  # tests give some by name


def judged(comparison: Comparison, **lists: object) -> Comparison:
    return msgspec.structs.replace(comparison, verdict=msgspec.structs.replace(NOTHING, **lists))


def test_a_replica_is_reported_with_its_refusals_kept_records_and_error() -> None:
    desired = snapshot(ENTRY, device(1))
    found = compared(desired, ENTRY, device(2), device(3), entity(4), ours=False)
    refusal = Refusal(GuardName.DELETE_RATIO, "too many", "raise it", 7, "reconcile --x", "7-0123456789")
    found = msgspec.structs.replace(
        judged(found, refusals=(refusal,), allowed=found.verdict.allowed),
        kept=Kept(frozenset({Key("entity", "b"), Key("entity", "a")})),
        kept_count=1,
    )
    assert report_replica(found, applied=True, error="the disk is full") == ReplicaReport(
        replica="sqlite",
        status=SyncStatus.BLOCKED,
        # Of four rows one is kept, and neither that nor a foreign one is as Home Assistant has it.
        counts=Counts(in_sync=0, missing=1, foreign=3, kept=1),
        planned=PlanCounts(upsert=1),
        applied=PlanCounts(upsert=1),
        refusals=(
            RefusalReport(GuardName.DELETE_RATIO, "too many", "raise it", 7, "reconcile --x", "7-0123456789"),
        ),
        fingerprint=found.plan.fingerprint,
        error="the disk is full",
        kept=("entity/a", "entity/b"),
    )


@pytest.mark.parametrize("what", ["waiting", "held", "foreign", "surplus"])
def test_each_thing_that_is_left_by_itself_is_out_of_sync(what: str) -> None:
    desired = snapshot(ENTRY)
    equal = judged(compared(desired, ENTRY))
    assert status_of(equal, applied=True, failed=False) == "in_sync"
    operation = compared(desired, ENTRY, device(1)).plan.operations[0]
    left = {
        "waiting": judged(equal, waiting=(operation,)),
        "held": judged(equal, held=(operation,)),
        "foreign": msgspec.structs.replace(
            equal, plan=msgspec.structs.replace(equal.plan, foreign=(StoredRow(device(1).key, {}),))
        ),
        "surplus": msgspec.structs.replace(equal, kept=Kept(surplus=1)),
    }
    assert status_of(left[what], applied=True, failed=False) == "out_of_sync"


@pytest.mark.parametrize(
    ("done", "postponed"),
    [
        (Outcome.APPLIED, Outcome.WAITING),
        (Outcome.PLANNED, Outcome.WAITING),
        (Outcome.OBSERVED, Outcome.OBSERVED),
    ],
)
def test_no_delete_waits_for_a_second_look_where_nothing_is_written(
    done: Outcome, postponed: Outcome
) -> None:
    desired = snapshot(ENTRY, device(1))
    found = compared(desired, ENTRY, device(1), device(2), device(3))
    one, other = found.plan.operations
    for lists in ({"waiting": (one, other)}, {"waiting": (one,), "held": (other,)}):
        assert {r.outcome for r in reports_of(judged(found, **lists), desired, done=done)} == {postponed}
    refusal = Refusal(GuardName.DELETE_RATIO, "too many", "raise it", 2)
    held = judged(found, held=(one, other), refusals=(refusal,))
    assert {r.outcome for r in reports_of(held, desired, done=done)} == {Outcome.HELD}


def test_a_changed_record_is_reported_with_its_name_hashes_and_changed_fields() -> None:
    lamp = entity(1, name="Lamp", modified_at=NOON - 5)
    desired, before = snapshot(ENTRY, lamp), snapshot(entity(1))
    (report,) = reports_of(compared(desired, ENTRY, entity(1)), desired)
    held = before.home.hashes[lamp.key]
    assert report == RecordReport(
        replica="sqlite",
        registry="entity",
        key=lamp.id,
        name="Lamp",
        entity_id="sensor.s1",
        kind=Kind.STALE,
        cause=Cause.PENDING,
        action=Action.UPSERT,
        outcome=Outcome.APPLIED,
        fields=(FieldChange("name", source="Lamp", replica=None),),
        source_hash=desired.home.hashes[lamp.key],
        replica_hash=held,
        applied_hash=held,
        since=instant(NOON - 5),
        why=(),
    )


def test_a_foreign_entity_is_reported_under_its_entity_id_and_its_version() -> None:
    desired, mocked = snapshot(ENTRY), entity(9)
    found = compared(desired, ENTRY, mocked, ours=False)
    (report,) = (each for each in reports_of(found, desired) if each.cause is Cause.FOREIGN)
    assert report == RecordReport(
        replica="sqlite",
        registry="entity",
        key=mocked.id,
        name="sensor.s9",
        entity_id="sensor.s9",
        kind=Kind.ORPHANED,
        cause=Cause.FOREIGN,
        action=None,
        outcome=Outcome.REPORTED,
        fields=(),
        source_hash=None,
        replica_hash=snapshot(mocked).home.hashes[mocked.key],
        applied_hash=None,
        since=None,
        why=report.why,
    )


def test_a_foreign_device_has_no_entities_if_neither_side_has_one() -> None:
    alone, with_foreign, with_ours = device(1), device(2), device(3)
    ours = entity(3, device_id=with_ours.id)
    desired = snapshot(ENTRY, ours)
    stored = (alone, with_foreign, with_ours, entity(2, device_id=with_foreign.id))
    found = reports_of(compared(desired, *stored, ours=False), desired)
    lonely = {each.key for each in found if "no entity belongs to it" in each.why}
    assert lonely == {alone.id}


def reasons(operation: Operation, desired: Snapshot, absences: dict[Key, Look] | None = None) -> list[str]:
    found = compared(desired, ENTRY)
    found = msgspec.structs.replace(
        judged(found, allowed=(operation,)),
        plan=msgspec.structs.replace(found.plan, operations=(operation,)),
        absences=absences or {},
        look=Look(NOON),
    )
    return list(reports_of(found, desired)[0].why)


def delete_of(gone: Record, **given: object) -> Operation:
    operation = next(o for o in compared(snapshot(ENTRY), ENTRY, gone).plan.operations if o.key == gone.key)
    return msgspec.structs.replace(operation, **given)


def test_a_delete_gives_the_evidence_that_the_record_is_gone() -> None:
    key, operation = device(1).key, delete_of(device(1))
    assert reasons(operation, snapshot(ENTRY, removed=[key])) == ["Home Assistant lists it as deleted"]
    assert reasons(operation, snapshot(ENTRY)) == ["missing from this read for the first time"]
    assert reasons(operation, snapshot(ENTRY), {key: Look(NOON - 60)}) == [
        "missing from every read since 2026-11-23T11:59:00.000Z"
    ]
    # The clock was wrong when it was missed first, and the machine was started since.
    assert reasons(operation, snapshot(ENTRY), {key: Look(12.0)}) == [
        "missing from this read and from earlier ones"
    ]


def test_a_device_that_was_split_is_not_called_missing() -> None:
    operation = delete_of(device(1))
    splits = {device(1).id: (device(2).id,)}
    assert reasons(operation, snapshot(ENTRY, device(2), splits=splits)) == [
        "Home Assistant split it into other devices"
    ]
    assert reasons(operation, snapshot(ENTRY, splits=splits)) == ["missing from this read for the first time"]


def test_a_foreign_row_that_is_pruned_was_not_missed() -> None:
    operation = delete_of(device(1))
    pruned = msgspec.structs.replace(operation.difference, cause=Cause.FOREIGN, applied=None)
    found = reasons(msgspec.structs.replace(operation, difference=pruned), snapshot(ENTRY))
    assert found == ["a foreign row, pruned as asked"]


def test_a_write_names_the_row_that_it_replaces() -> None:
    desired = snapshot(ENTRY, device(1))
    (operation,) = compared(desired, ENTRY).plan.operations
    moved = msgspec.structs.replace(operation, moved_from=Key("device", "whole"))
    assert reasons(moved, desired) == ["Home Assistant split the composite device/whole into this device"]
    replacing = msgspec.structs.replace(operation, replaces=Key("entity", "old"))
    assert reasons(replacing, desired) == ["it now has the entity_id of entity/old"]


def test_the_time_a_record_was_first_missed_follows_the_current_clock() -> None:
    key, other = device(1).key, device(2).key
    found = compared(snapshot(ENTRY), ENTRY)
    looks = {key: Look(12.0, "boot", 100.0)}
    now = msgspec.structs.replace(found, absences=looks, look=Look(NOON, "boot", 160.0))
    assert (now.missed_at(key), now.missed_at(other)) == (NOON - 60, None)
    without_look = msgspec.structs.replace(found, absences=looks)
    assert (without_look.missed_at(key), without_look.missed_at(other)) == (12.0, None)


def test_a_failed_pass_wrote_nothing_and_a_successful_one_everything() -> None:
    desired = snapshot(ENTRY, device(1), device(2))
    found = compared(desired, ENTRY)
    refused = {device(1).key}

    def outcomes(done: Outcome, unwritten: set[Key] | None) -> set[Outcome]:
        return {r.outcome for r in reports_of(found, desired, done=done, unwritten=unwritten)}

    assert outcomes(Outcome.FAILED, None) == {Outcome.FAILED}
    assert outcomes(Outcome.PLANNED, refused) == {Outcome.PLANNED}


def test_a_report_is_reused_until_its_record_changes() -> None:
    desired = snapshot(ENTRY)
    found = compared(desired, ENTRY, device(1), device(2), absences={device(1).key: NOON - 9})
    waiting = msgspec.structs.replace(
        found, verdict=msgspec.structs.replace(NOTHING, waiting=found.plan.operations)
    )
    reported: dict[Key, Reported] = {}

    def again(comparison: Comparison, read: Snapshot = desired) -> list[bool]:
        """Which of the two reports are those of before."""
        before = {key: known.report for key, known in reported.items()}
        return [
            before.get(Key(each.registry, each.key)) is each
            for each in reports_of(comparison, read, reported=reported)
        ]

    assert again(waiting) == [False, False]
    assert again(waiting) == [True, True]
    # It was missed later than thought.
    later = msgspec.structs.replace(waiting, absences={device(1).key: Look(NOON - 8)})
    assert again(later).count(False) == 1
    # Home Assistant lists one as deleted by now.
    assert again(later, snapshot(ENTRY, removed=[device(2).key])).count(False) == 1
    again(later)
    # What is read is no evidence any more.
    starting = snapshot(ENTRY, health=msgspec.structs.replace(RUNNING, state="STARTING"))
    assert again(later, starting) == [False, False]
    # Another plan for the same records.
    anew = msgspec.structs.replace(
        later.plan, operations=tuple(map(msgspec.structs.replace, later.plan.operations))
    )
    other = msgspec.structs.replace(
        later, plan=anew, verdict=msgspec.structs.replace(NOTHING, waiting=anew.operations)
    )
    again(later)
    assert again(other) == [False, False]
    # Nothing of what was carried out stands any more.
    reports_of(msgspec.structs.replace(other, verdict=NOTHING), desired, reported=reported)
    assert reported == {}


def test_a_change_in_home_assistant_dates_from_the_read_and_not_from_the_comparison() -> None:
    desired = snapshot(ENTRY, device(1, name="New"))
    found = compared(desired, ENTRY, device(1))
    (record,) = reports_of(found, desired, compared_at=NOON, found_at=NOON + 300)
    assert (record.cause, record.since) == (Cause.PENDING, NOON)
