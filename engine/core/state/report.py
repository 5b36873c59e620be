"""The report: one document for `reconcile --json`, `reconcile drift --json` and the drift endpoint.

`status` never claims more than was checked: a pass that could not read one side is `unknown` for it, and
`errors` is then not empty. Times are Unix seconds, and RFC 3339 in UTC where the report is written; durations are seconds.
"""

from typing import Self

import msgspec

from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Action, FieldChange
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.core.times import Instant
from engine.core.words import NOT_THIS_HOME, GuardName, Mode, Outcome, SyncStatus
from engine.errors import EngineError

SCHEMA_VERSION = 1
APPLIED_MAX = 200  # written records that the kept report of a pass still lists


class SourceReport(msgspec.Struct, frozen=True):
    """Where the desired state was read."""

    uri: str
    connected: bool
    version: str | None = None
    state: str | None = None
    records: int = 0
    registries: tuple[str, ...] | None = None  # those that were read and compared; null: none
    backup_at: Instant | None = None  # the moment that a backup shows; null: it is no backup
    note: str | None = None  # what is odd about that moment

    def has_read(self, registry: str) -> bool:
        """Whether the registry was read and compared, according to the report."""
        return self.registries is None or registry in self.registries

    @property
    def only(self) -> tuple[str, ...]:
        """The registries that were compared; empty if all were."""
        read = self.registries or ()
        return read if len(read) < len(REGISTRIES) else ()

    @property
    def speaker(self) -> str:
        """The name for the source of the records: Home Assistant if it gave its state, else the file or store itself."""
        return self.uri if self.state is None else "Home Assistant"


class Counts(msgspec.Struct, frozen=True):
    """Records of one replica by how they compared, before anything was written.

    Those `kept` were not compared, because a row of Home Assistant that was set aside may belong to them.
    """

    in_sync: int = 0
    missing: int = 0
    stale: int = 0
    orphaned: int = 0
    foreign: int = 0
    kept: int = 0


class PlanCounts(msgspec.Struct, frozen=True):
    """Operations by action."""

    upsert: int = 0
    move: int = 0
    delete: int = 0


class RefusalReport(msgspec.Struct, frozen=True):
    """A guard that held operations back, and what would change that."""

    guard: GuardName
    message: str
    hint: str
    held: int
    command: str | None = None  # the command that allows it for one run
    name: str | None = None  # name of the held deletes, for plan.allow_deletes


class RecordReport(msgspec.Struct, frozen=True):
    """One record on which Home Assistant and a replica differ (or differed, when it was written).

    `since`: when the difference began, or else was first found; None: unknown. It is never the time of the request.
    """

    replica: str
    registry: str
    key: str
    name: str
    kind: Kind
    cause: Cause
    action: Action | None  # None: reported only
    outcome: Outcome
    fields: tuple[FieldChange, ...]
    source_hash: str | None
    replica_hash: str | None
    applied_hash: str | None
    since: Instant | None
    why: tuple[str, ...] = ()
    entity_id: str | None = None
    waits_for_backup: bool = False  # a waiting delete, or a change for one, that only a newer backup confirms


class ReplicaReport(msgspec.Struct, frozen=True):
    """One replica: the comparison, the plan and what was carried out."""

    replica: str
    status: SyncStatus
    counts: Counts
    planned: PlanCounts
    applied: PlanCounts
    refusals: tuple[RefusalReport, ...] = ()
    waiting: int = 0
    fingerprint: str | None = None
    error: str | None = None
    note: str | None = None  # corrections that the replica made beyond the plan
    kept: tuple[str, ...] = ()  # REGISTRY/ID of the rows that were not compared, because of rows set aside

    @property
    def not_this_home(self) -> GuardName | None:
        """The guard by which the source is not this home, so that no comparison counts; None if it is."""
        return next((r.guard for r in self.refusals if r.guard in NOT_THIS_HOME), None)

    @property
    def is_compared(self) -> bool:
        """Whether its numbers compare it with its own home; against another one every record seems to differ."""
        return self.status != SyncStatus.UNKNOWN and self.not_this_home is None

    @property
    def equal(self) -> int:
        """The number of records that the replica holds as Home Assistant has them, after the pass."""
        # Each operation that leaves a row makes one record equal; `counts` are from before the write.
        return self.counts.in_sync + self.applied.upsert + self.applied.move

    @property
    def pending(self) -> int:
        """The number of operations that were planned and not carried out."""
        planned, applied = self.planned, self.applied
        return (
            (planned.upsert - applied.upsert)
            + (planned.move - applied.move)
            + (planned.delete - applied.delete)
        )


class ErrorReport(msgspec.Struct, frozen=True):
    """A failure to read or write."""

    subject: str  # source, or a replica's name
    message: str
    hint: str
    transient: bool

    @classmethod
    def of(cls, subject: str, error: EngineError) -> Self:
        """The report of one error."""
        return cls(subject, error.message, error.hint, error.transient)


class Report(msgspec.Struct, frozen=True):
    """One pass over all replicas, with everything needed to act on it."""

    schema_version: int
    status: SyncStatus
    mode: Mode
    run_id: str
    site: str
    compared_at: Instant
    duration_seconds: float
    source: SourceReport
    replicas: tuple[ReplicaReport, ...]
    records: tuple[RecordReport, ...]
    errors: tuple[ErrorReport, ...]
    partial: bool  # one replica failed while another was served
    phase_seconds: dict[str, float] = {}  # compare, apply: how long each took, over all replicas
    set_aside: tuple[SetAside, ...] = ()  # rows of Home Assistant that were not compared


def unknown_replica(replica: str, error: str | None) -> ReplicaReport:
    """The report of a replica that could not be compared."""
    return ReplicaReport(replica, SyncStatus.UNKNOWN, Counts(), PlanCounts(), PlanCounts(), error=error)


def open_records(report: Report | None) -> list[RecordReport]:
    """The records that still differ after the pass, one entry for each replica that differs on it."""
    return [r for r in report.records if r.outcome != Outcome.APPLIED] if report else []


def without_many_applied(report: Report) -> Report:
    """The report to keep: if the pass wrote more than APPLIED_MAX records, it lists only those that still differ.

    After a first fill it would list every record of the home, with all of its fields. The counts stay, and each record
    was reported and is in the change feed.
    """
    if len(report.records) <= APPLIED_MAX:
        return report
    left = tuple(record for record in report.records if record.outcome != Outcome.APPLIED)
    if len(report.records) - len(left) <= APPLIED_MAX:
        return report
    return msgspec.structs.replace(report, records=left)


def open_keys(report: Report | None, outcome: Outcome | None = None) -> set[tuple[str, str]]:
    """The records on which at least one replica still differs, as (registry, key): each counts once."""
    return {(r.registry, r.key) for r in open_records(report) if outcome in (None, r.outcome)}


# The identity of a difference across reports. It does not include the cause, which is not always known.
FoundKey = tuple[str, str, str, Kind]


def with_first_found(report: Report, found: dict[FoundKey, float], now: float, shift: float = 0.0) -> Report:
    """The report with each record's time since which it differs; updates `found` for the next report.

    If a pass does not know when a difference began, the first pass that reported it counts as its beginning, which then stays
    the same until the difference ends. `now` and the times in `found` are times of the process; the wall clock is `shift`
    seconds ahead.
    """
    looked_at = {replica.replica for replica in report.replicas if replica.status != SyncStatus.UNKNOWN}
    left = {key: at for key, at in found.items() if key[0] not in looked_at}
    records = []
    for record in report.records:
        key = (record.replica, record.registry, record.key, record.kind)
        began_at = now if record.since is None else record.since - shift
        before = found.get(key)
        if before is not None and before < began_at and key[0] in looked_at:
            began_at = before
        if record.outcome != Outcome.APPLIED:
            left[key] = began_at
        if record.since != (since := began_at + shift):
            record = msgspec.structs.replace(record, since=Instant(since))  # noqa: PLW2901
        records.append(record)
    found.clear()
    found.update(left)
    return msgspec.structs.replace(report, records=tuple(records))


def left_by_kind(report: Report) -> dict[tuple[str, str], int]:
    """The number of records that still differ after the pass, by replica and kind (missing, stale, orphaned, foreign)."""
    left: dict[tuple[str, str], int] = {}
    for record in open_records(report):
        kind = "foreign" if record.cause is Cause.FOREIGN else str(record.kind)
        left[record.replica, kind] = left.get((record.replica, kind), 0) + 1
    return left


def write_lag_seconds(record: RecordReport, written_at: float) -> float | None:
    """How long after Home Assistant changed a record the change was written, seconds; None for anything else.

    Only for records that existed before: a first fill is not lag.
    """
    is_change = record.outcome == Outcome.APPLIED and record.cause is Cause.PENDING and record.replica_hash
    return max(0.0, written_at - record.since) if is_change and record.since else None
