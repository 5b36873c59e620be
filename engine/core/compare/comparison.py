"""The comparison of one replica with a snapshot: differences, plan and verdict, and its part of the report."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from engine.core.compare.creations import report_creations
from engine.core.compare.diff import Cause, Kind
from engine.core.compare.foreign import foreign_reasons
from engine.core.compare.kept import Kept
from engine.core.compare.plan import Action, Operation, Plan
from engine.core.compare.stored import StoredRow
from engine.core.guards.doubt import untrusted_read
from engine.core.guards.guard import Verdict
from engine.core.guards.look import Look, begun_at
from engine.core.home.derived import Derived
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.state.advice import WHOSE_CHANGE
from engine.core.state.report import Counts, PlanCounts, RecordReport, RefusalReport, ReplicaReport
from engine.core.times import instant, rfc3339
from engine.core.words import Outcome, SyncStatus

_SAME_TIME_SECONDS = 0.001  # stores keep times to the microsecond or millisecond


class Comparison(msgspec.Struct, frozen=True):
    """What a pass found in one replica, before it wrote anything."""

    plan: Plan
    verdict: Verdict
    observed_count: int  # rows of the registries that were compared
    absences: Mapping[Key, Look]
    known_ids: frozenset[Key]  # foreign rows that Home Assistant is known to have had once
    kept: Kept = Kept()
    kept_count: int = 0  # observed rows that are kept
    look: Look | None = None  # the look at Home Assistant that the replica was compared with

    def missed_at(self, key: Key) -> float | None:
        """When a key was first missed, by the wall clock as it is set now; None if it was not missed or the time is unknown."""
        first = self.absences.get(key)
        if first is None or self.look is None:
            return None if first is None else first.wall
        return begun_at(first, self.look)

    @property
    def replica(self) -> str:
        """The replica's name."""
        return self.plan.replica


class Reported(NamedTuple):
    """A cached report of an operation, with the other facts that it was made from."""

    operation: Operation
    # outcome, since, first missed, listed as deleted, whether the read was trusted
    basis: tuple[Outcome, float | None, Look | None, bool, bool]
    report: RecordReport


def count_operations(operations: tuple[Operation, ...]) -> PlanCounts:
    """The number of operations by action."""
    actions = [o.action for o in operations]  # not a Counter: hashing an enum's member is slow
    return PlanCounts(*map(actions.count, (Action.UPSERT, Action.MOVE, Action.DELETE)))


def completed(
    comparison: Comparison, *, applied: bool, unwritten: Collection[tuple[str, str]] | None
) -> tuple[Operation, ...]:
    """The operations that are known to be carried out: all that were allowed if `applied`, else those that the
    store confirmed; `unwritten` are the others, None when they are unknown.
    """
    allowed = comparison.verdict.allowed
    if applied or unwritten is None:
        return allowed if applied else ()
    return tuple(o for o in allowed if o.key not in unwritten and o.moved_from not in unwritten)


def report_replica(
    comparison: Comparison,
    *,
    applied: bool,
    error: str | None,
    unwritten: Collection[tuple[str, str]] | None = None,
) -> ReplicaReport:
    """The replica's part of the report. See `completed`."""
    plan, verdict = comparison.plan, comparison.verdict
    kinds = [d.kind for d in plan.diff.differences if d.cause is not Cause.FOREIGN]
    missing, stale, orphaned = map(kinds.count, (Kind.MISSING, Kind.STALE, Kind.ORPHANED))
    foreign = len(plan.diff.differences) - len(kinds)
    counts = Counts(
        in_sync=comparison.observed_count - stale - orphaned - foreign - comparison.kept_count,
        missing=missing,
        stale=stale,
        orphaned=orphaned,
        foreign=foreign,
        kept=comparison.kept_count,
    )
    return ReplicaReport(
        replica=plan.replica,
        status=status_of(comparison, applied=applied, failed=error is not None),
        counts=counts,
        planned=count_operations(plan.operations),
        applied=count_operations(completed(comparison, applied=applied, unwritten=unwritten)),
        refusals=tuple(
            RefusalReport(r.guard, r.message, r.hint, r.held, r.command, r.name) for r in verdict.refusals
        ),
        waiting=len(verdict.waiting),
        fingerprint=plan.fingerprint,
        error=error,
        kept=tuple(sorted(map(str, comparison.kept.keys))),
    )


def status_of(comparison: Comparison, *, applied: bool, failed: bool) -> SyncStatus:
    """The replica's status; `applied` if the allowed operations were written, `failed` if its store or the ledger failed."""
    if comparison.verdict.refusals:
        return SyncStatus.BLOCKED
    verdict = comparison.verdict
    left = verdict.waiting or verdict.held or comparison.plan.foreign or comparison.kept.surplus
    if failed or left or (comparison.verdict.allowed and not applied):
        return SyncStatus.OUT_OF_SYNC
    return SyncStatus.IN_SYNC


def report_records(  # noqa: PLR0913 (how a pass went, by keyword)
    comparison: Comparison,
    desired: Snapshot,
    *,
    done: Outcome,
    compared_at: float,
    found_at: float | None = None,
    unwritten: Collection[tuple[str, str]] | None = None,
    reported: dict[Key, Reported] | None = None,
) -> list[RecordReport]:
    """One entry per differing record. `done` is the outcome of the operations that were allowed; if a write `failed`
    in part, the operations that the store confirmed count as applied. `compared_at` is when Home Assistant was read,
    `found_at` when the replica was. Reports of unchanged operations come from `reported`, which is updated for the next pass.
    """
    partly = completed(comparison, applied=False, unwritten=unwritten) if done == Outcome.FAILED else ()
    taken = {operation.key for operation in partly}
    left = comparison.verdict.outcomes_left(done)
    before, standing = reported or {}, dict[Key, Reported]()
    may_stand = bool(left or before)
    if not (may_stand or taken) and (made := report_creations(comparison.plan, desired, compared_at, done)):
        return made
    is_trusted = untrusted_read(desired) is None
    reports = []
    for operation in comparison.plan.operations:
        key, cause = operation.difference.key, operation.difference.cause
        outcome = Outcome.APPLIED if key in taken else left.get(key, done)
        # A difference that is not pending arose in the replica, which was read later.
        seen_at = compared_at if cause is Cause.PENDING or found_at is None else found_at
        since = _since(comparison, operation, seen_at, outcome=outcome, done=done)
        if not may_stand:
            reports.append(_operation_report(comparison, operation, desired, outcome, since))
            continue
        basis = (outcome, since, comparison.absences.get(key), desired.is_reported_gone(key), is_trusted)
        known = before.get(key)
        if known is None or known.operation is not operation or known.basis != basis:
            report = _operation_report(comparison, operation, desired, outcome, since)
            known = Reported(operation, basis, report)
        reports.append(known.report)
        if outcome in (Outcome.HELD, Outcome.WAITING):
            standing[key] = known
    if reported is not None:
        reported.clear()
        reported.update(standing)
    return reports + _foreign_reports(comparison, desired)


def _operation_report(
    comparison: Comparison, operation: Operation, desired: Snapshot, outcome: Outcome, since: float | None
) -> RecordReport:
    difference = operation.difference
    key = difference.key
    return RecordReport(
        replica=comparison.plan.replica,
        registry=key.registry,
        key=key.id,
        name=operation.label,
        entity_id=operation.entity_id,
        kind=difference.kind,
        cause=difference.cause,
        action=operation.action,
        outcome=outcome,
        fields=operation.fields,
        source_hash=desired.home.hashes.get(key),
        replica_hash=difference.observed,
        applied_hash=difference.applied,
        since=instant(since),
        why=tuple(_why(operation, desired, comparison)),
        waits_for_backup=outcome == Outcome.WAITING and desired.reading.is_frozen,
    )


def _since(
    comparison: Comparison, operation: Operation, compared_at: float, *, outcome: Outcome, done: Outcome
) -> float | None:
    """When the difference began, or was first found, as far as a pass without memory knows.

    A pass that writes (`done` is its outcome) is the first to find what it repairs, and records absences. For held
    operations, and in any other pass, the only time available would be that of the pass itself, so there is none.
    """
    after, cause = operation.after, operation.difference.cause
    if after is None:
        if cause is not Cause.FOREIGN and operation.key in comparison.absences:
            return comparison.missed_at(operation.key)
    elif cause is Cause.PENDING and after.modified_at and _is_dated(operation, after.modified_at):
        return min(after.modified_at, compared_at)
    writes = done in (Outcome.APPLIED, Outcome.FAILED)
    begins_now = outcome == Outcome.APPLIED or (outcome == Outcome.WAITING and writes and after is None)
    return compared_at if begins_now else None


def _is_dated(operation: Operation, modified_at: float) -> bool:
    """Whether `modified_at` dates the change: it dates no derived value, nor what an upgrade adds to a row that has it already."""
    if operation.fields and all(each.name in Derived.__struct_fields__ for each in operation.fields):
        return False
    stored = operation.before.fields.get("modified_at") if operation.before else None
    return not (isinstance(stored, int | float) and abs(stored - modified_at) < _SAME_TIME_SECONDS)


def _why(operation: Operation, desired: Snapshot, comparison: Comparison) -> list[str]:
    cause = operation.difference.cause
    reasons = [] if cause is Cause.PENDING else [WHOSE_CHANGE[cause]]
    if operation.moved_from:
        reasons.append(f"Home Assistant split the composite {operation.moved_from} into this device")
    if operation.replaces:
        reasons.append(f"it now has the entity_id of {operation.replaces}")
    if operation.action is Action.DELETE and operation.difference.applied is not None:
        key = operation.key
        if key in desired.reading.removed:
            reasons.append("Home Assistant lists it as deleted")
        elif desired.is_split(key):
            reasons.append("Home Assistant split it into other devices")
        elif key in comparison.absences:
            since = comparison.missed_at(key)
            reasons.append(
                f"missing from every read since {rfc3339(since)}"
                if since is not None
                else "missing from this read and from earlier ones"
            )
        elif untrusted_read(desired) is not None:
            reasons.append("missing from this read, which is no evidence that it is gone")
        else:
            reasons.append("missing from this read for the first time")
    return reasons


def _foreign_reports(comparison: Comparison, desired: Snapshot) -> list[RecordReport]:
    rows = {row.key: row for row in comparison.plan.foreign}
    if not rows:
        return []
    reasons = foreign_reasons(rows, comparison.known_ids, _populated(rows, desired))
    found = {d.key: d for d in comparison.plan.diff.differences}
    return [
        RecordReport(
            replica=comparison.replica,
            registry=key.registry,
            key=key.id,
            name=row.label,
            entity_id=str(row.fields["entity_id"]) if row.fields.get("entity_id") else None,
            kind=Kind.ORPHANED,
            cause=Cause.FOREIGN,
            action=None,
            outcome=Outcome.REPORTED,
            fields=(),
            source_hash=None,
            replica_hash=found[key].observed,
            applied_hash=None,
            since=None,
            why=(_whose(is_known=key in comparison.known_ids), *reasons[key]),
        )
        for key, row in sorted(rows.items())
    ]


def _whose(*, is_known: bool) -> str:
    if is_known:
        return "Home Assistant had it once; the engine did not write it since"
    return "Home Assistant does not have it and the engine never wrote it"


def _populated(rows: Mapping[Key, StoredRow], desired: Snapshot) -> frozenset[str]:
    from_rows = {str(r.fields.get("device_id")) for r in rows.values() if r.key.registry == "entity"}
    from_home = {
        str(getattr(r, "device_id", "")) for k, r in desired.home.records.items() if k.registry == "entity"
    }
    return frozenset(from_rows | from_home)
