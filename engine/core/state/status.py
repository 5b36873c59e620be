"""The status: one immutable view of a running engine, from which metrics, API, page, log and sensors are made.

What is known of a replica is one value, its word together with the report that it rests on: replaced at once, so
a word is never read without its guards and records.

`replica_status` and `status_word` are the only places that decide what a status is at a moment, `why_not_ready` the
only one that decides on readiness: no word of the service is better than what it knows then.

Times are Unix seconds, UTC. A time that is None never was; nothing here is ever guessed or reset to zero.
"""

from collections import Counter

import msgspec
from msgspec.structs import replace

from engine.core.counts import plural
from engine.core.records.record import Key
from engine.core.state.intervals import Freshness
from engine.core.state.report import Report, open_records, without_many_applied
from engine.core.words import Outcome, SyncStatus, combined_status


class SourceStatus(msgspec.Struct, frozen=True):
    """The state of the connection to Home Assistant."""

    uri: str
    connected: bool
    version: str | None = None
    state: str | None = None
    connected_at: float | None = None
    last_message_at: float | None = None
    error: str | None = None

    def shifted(self, seconds: float) -> "SourceStatus":
        """The same with all times so much later: a process shows them by the wall clock as it is set."""
        return replace(
            self,
            connected_at=_later(self.connected_at, seconds),
            last_message_at=_later(self.last_message_at, seconds),
        )


class ReplicaStatus(msgspec.Struct, frozen=True):
    """The state of one replica."""

    replica: str
    status: SyncStatus  # as of the last comparison
    status_since: float | None = None  # when this status was found after another one
    synced_at: float | None = None  # the replica is known to hold every change of the source up to here
    compared_at: float | None = None  # when the source was read that it was last compared with
    verified_at: float | None = None  # when a pass last read all that it holds, trusting nothing
    succeeded_at: float | None = None  # when a pass over it last ended without an error
    pending: int = 0
    pending_since: float | None = None  # the oldest difference not yet written
    error: str | None = None
    # When Home Assistant was lost, until the replica is compared with a read that came after.
    unproven_since: float | None = None
    changed: frozenset[Key] = (
        frozenset()
    )  # of what is pending, the records that the last report does not know of
    # The error is of the ledger, which is another replica's file: what this one holds is known all the same.
    is_error_elsewhere: bool = False
    # Of the last comparison of this replica: at the end of its pass, or as soon as it found the replica out of order.
    report: Report | None = None

    def shifted(self, seconds: float) -> "ReplicaStatus":
        """The same with all times so much later."""
        return replace(
            self,
            status_since=_later(self.status_since, seconds),
            synced_at=_later(self.synced_at, seconds),
            compared_at=_later(self.compared_at, seconds),
            verified_at=_later(self.verified_at, seconds),
            succeeded_at=_later(self.succeeded_at, seconds),
            pending_since=_later(self.pending_since, seconds),
            unproven_since=_later(self.unproven_since, seconds),
        )

    def after(
        self, report: Report, *, now: float, since: float | None, taken_at: float, true_at: float
    ) -> "ReplicaStatus":
        """The status that the report of a pass over this replica comes to, which ended `now` and holds `since`.

        Home Assistant was read at `taken_at`, and that is known to be true up to `true_at`.
        """
        (found,) = report.replicas
        looked = found.status != SyncStatus.UNKNOWN
        error = next((f"{e.message} {e.hint}".rstrip() for e in report.errors), None)
        pending = found.pending if looked else self.pending
        return replace(
            self,
            status=found.status,
            status_since=since,
            synced_at=true_at if found.status == SyncStatus.IN_SYNC else self.synced_at,
            compared_at=taken_at if looked else self.compared_at,
            succeeded_at=now if error is None else self.succeeded_at,
            pending=pending,
            pending_since=(self.pending_since or taken_at) if pending else None,
            error=error,
            is_error_elsewhere=error is not None and all(e.subject != found.replica for e in report.errors),
            changed=frozenset(),
            report=without_many_applied(report),
        )


class Status(msgspec.Struct, frozen=True):
    """The engine at one moment."""

    site: str
    version: str
    started_at: float
    source: SourceStatus
    replicas: tuple[ReplicaStatus, ...]
    report: Report | None = None  # of all replicas, made of theirs


def replica_status(
    replica: ReplicaStatus, now: float, freshness: Freshness
) -> tuple[SyncStatus, float | None]:
    """in_sync, out_of_sync, blocked or unknown, as of `now`; and since when.

    What was found counts only while Home Assistant is followed on the connection on which it was read. `in_sync` also
    needs a watermark and a look at the whole store that are not too old, and a pass without an error of this store; with
    work that waits it is `out_of_sync`.
    """
    if replica.status == SyncStatus.UNKNOWN:
        return SyncStatus.UNKNOWN, replica.status_since
    if replica.compared_at is None:
        return SyncStatus.UNKNOWN, None
    if replica.unproven_since is not None:
        return SyncStatus.UNKNOWN, replica.unproven_since
    expires_at = replica.compared_at + freshness.stale_seconds
    if replica.status == SyncStatus.IN_SYNC:
        if replica.synced_at is None:
            return SyncStatus.UNKNOWN, replica.status_since
        expires_at = min(expires_at, replica.synced_at + freshness.unknown_seconds)
        if replica.verified_at is not None:
            expires_at = min(expires_at, replica.verified_at + freshness.unverified_seconds)
    if now > expires_at:
        return SyncStatus.UNKNOWN, expires_at
    if replica.status == SyncStatus.IN_SYNC and replica.error is not None and not replica.is_error_elsewhere:
        return SyncStatus.UNKNOWN, replica.status_since
    if replica.status == SyncStatus.IN_SYNC and replica.pending:
        return SyncStatus.OUT_OF_SYNC, replica.pending_since
    return replica.status, replica.status_since


def status_word(status: Status, now: float, freshness: Freshness) -> SyncStatus:
    """The status of the whole: that of its worst replica. A pass with errors did not look everywhere."""
    words = [replica_status(replica, now, freshness)[0] for replica in status.replicas]
    word = combined_status(words)
    has_errors = status.report is not None and bool(status.report.errors)
    return SyncStatus.UNKNOWN if word == SyncStatus.IN_SYNC and has_errors else word


def status_line(status: Status, now: float, freshness: Freshness) -> str:
    """The status of the whole and of each replica, in one line."""
    words = [f"{r.replica} {replica_status(r, now, freshness)[0]}" for r in status.replicas]
    return f"{status_word(status, now, freshness)}: {', '.join(words) or 'no replica'}"


def why_not_ready(
    replica: ReplicaStatus, report: Report | None, now: float, freshness: Freshness
) -> str | None:
    """Why a replica must not be relied upon; None when it may be.

    It may be when it is in sync, and while all that it lacks is about to be written, or is a delete that waits for the
    second look: what is not known to be wrong. `report` is that of the last pass.
    """
    word, _ = replica_status(replica, now, freshness)
    if word == SyncStatus.IN_SYNC:
        return None
    if word == SyncStatus.UNKNOWN:
        return replica.error or why_unknown(replica)
    if word == SyncStatus.BLOCKED:
        return "a guard holds changes back"
    if replica.error is not None:
        return replica.error
    left = Counter(r.outcome for r in open_records(report) if r.replica == replica.replica)
    wrong = {outcome: count for outcome, count in sorted(left.items()) if outcome != Outcome.WAITING}
    if wrong:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in wrong.items())
        return f"it is known to differ in {plural(sum(wrong.values()), 'record')} ({counts})"
    if left or (replica.pending and not _is_late(replica, now, freshness)):
        return None
    return f"it is known to differ; {plural(replica.pending, 'change')} {'waits' if replica.pending == 1 else 'wait'} to be written"


def why_unknown(replica: ReplicaStatus) -> str:
    """Why a replica is unknown that no error speaks of."""
    if replica.unproven_since is not None:
        return "unknown: Home Assistant was lost, and nothing was compared since"
    if replica.compared_at is None:
        return "unknown: nothing was compared yet"
    if replica.status == SyncStatus.UNKNOWN:
        return "unknown: another program wrote to it, and nothing was compared since"
    return "unknown: not looked at for too long"


def _is_late(replica: ReplicaStatus, now: float, freshness: Freshness) -> bool:
    return replica.pending_since is not None and now > replica.pending_since + freshness.unknown_seconds


def _later(at: float | None, seconds: float) -> float | None:
    return None if at is None else at + seconds


def lag_seconds(replica: ReplicaStatus, now: float) -> float | None:
    """How far behind the source a replica may be: the age of its watermark. None when it never was in sync."""
    return None if replica.synced_at is None else max(0.0, now - replica.synced_at)
