"""Reports a plan that only creates records, such as a first fill, without the lookups that other operations need."""

from engine.core.compare.diff import Cause
from engine.core.compare.plan import Operation, Plan
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Entity
from engine.core.state.report import RecordReport
from engine.core.times import instant
from engine.core.words import Outcome

_PENDING = Cause.PENDING  # an enum's member takes longer to look up than any field of a report


def report_creations(
    plan: Plan, desired: Snapshot, compared_at: float, outcome: Outcome
) -> list[RecordReport] | None:
    """The reports of all operations, which share one outcome; None if the plan does anything but create.

    `compared_at` is when Home Assistant was read, Unix seconds: no difference began later.
    """
    if plan.foreign or not all(map(_is_creation, plan.operations)):
        return None
    hashes, unknown = desired.home.hashes, compared_at if outcome == Outcome.APPLIED else None
    reports = []
    for operation in plan.operations:
        after, difference = operation.after, operation.difference
        assert after is not None, "a created record has fields"
        key = difference.key
        report = RecordReport(
            plan.replica,
            key.registry,
            key.id,
            operation.label,
            difference.kind,
            _PENDING,
            operation.action,
            outcome,
            (),
            hashes.get(key),
            None,
            difference.applied,
            instant(min(after.modified_at, compared_at) if after.modified_at else unknown),
            (),
            after.entity_id if isinstance(after, Entity) else None,
        )
        reports.append(report)
    return reports


def _is_creation(operation: Operation) -> bool:
    """Whether the operation only creates a record that the replica lacks, so that there is nothing else to report."""
    return (
        operation.after is not None
        and operation.before is None
        and operation.difference.observed is None
        and operation.difference.cause is _PENDING
        and operation.moved_from is None
        and operation.replaces is None
    )
