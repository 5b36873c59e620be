"""Reports a plan that only creates records, such as a first fill, without the lookups that other operations need."""

from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Plan, label_of
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Entity
from engine.core.state.report import RecordReport
from engine.core.times import Instant, instant
from engine.core.words import Outcome

# An enum's member takes longer to look up than any field of a report.
_PENDING, _MISSING = Cause.PENDING, Kind.MISSING


def report_creations(
    plan: Plan, desired: Snapshot, compared_at: float, outcome: Outcome
) -> list[RecordReport] | None:
    """The reports of all operations, which share one outcome; None if the plan does anything but create.

    `compared_at` is when Home Assistant was read, Unix seconds: no difference began later.
    """
    if plan.foreign:
        return None
    replica, hashes = plan.replica, desired.home.hashes
    unknown = instant(compared_at if outcome == Outcome.APPLIED else None)
    reports = []
    for operation in plan.operations:
        after, difference = operation.after, operation.difference
        if (
            after is None
            or operation.before is not None
            or difference.observed is not None
            or difference.cause is not _PENDING
            or operation.moved_from is not None
            or operation.replaces is not None
        ):
            return None
        key, modified_at = difference.key, after.modified_at
        registry, id_ = key
        report = RecordReport(
            replica,
            registry,
            id_,
            label_of(after) or id_,
            _MISSING,
            _PENDING,
            operation.action,
            outcome,
            (),
            hashes.get(key),
            None,
            difference.applied,
            (Instant(min(compared_at, modified_at)) if modified_at else unknown),
            (),
            after.entity_id if isinstance(after, Entity) else None,
        )
        reports.append(report)
    return reports
