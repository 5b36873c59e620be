"""The status: one immutable view of a running engine, from which metrics, API, page, log and sensors are made.

The knowledge about a replica is one value, its status together with the report behind it: replaced at once, so that
no reader sees a status without its guards and records.

Only `replica_status` and `status_word` decide the status at a moment, and only `why_not_ready` decides on
readiness: the service never reports a better status than its knowledge at that moment allows.

Times are Unix seconds, UTC. A time that never occurred is None; times are never guessed or reset to zero.
"""

from collections import Counter

import msgspec
from msgspec.structs import replace

from engine.core.counts import plural
from engine.core.records.record import Key
from engine.core.state.intervals import Freshness
from engine.core.state.report import Report, open_records, without_many_applied
from engine.core.times import rfc3339
from engine.core.words import Mode, Outcome, SyncStatus, combined_status

# Why a finding no longer counts.
_UNREAD = "Home Assistant announced a change, and it was not read yet"
_OLD = "not looked at for too long"
_UNPROVEN = "last proven equal too long ago"


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
        """The same with all times moved by `seconds`: a process reports them by the wall clock as it is set."""
        return replace(
            self,
            connected_at=_later(self.connected_at, seconds),
            last_message_at=_later(self.last_message_at, seconds),
        )


class ReplicaStatus(msgspec.Struct, frozen=True):
    """The state of one replica."""

    replica: str
    status: SyncStatus  # as of the last comparison
    status_since: float | None = None  # when this status replaced another one
    synced_at: float | None = None  # the replica is known to hold every change of the source up to here
    compared_at: float | None = None  # when the source of the last comparison was read
    verified_at: float | None = None  # when a pass last read it in full, trusting nothing
    succeeded_at: float | None = None  # when a pass over it last ended without an error
    pending: int = 0
    pending_since: float | None = None  # the oldest difference not yet written
    error: str | None = None
    # When Home Assistant was lost; None after the replica was compared with a later read.
    unproven_since: float | None = None
    unread_since: float | None = None  # when Home Assistant announced a change that is still unread
    changed: frozenset[Key] = frozenset()  # pending records that the last report does not list
    changed_since: float | None = None  # when the first of them was known
    # The error is of the ledger, which is another replica's file, so this replica's content is still known.
    is_error_elsewhere: bool = False
    # The report of the last comparison: at the end of its pass, or as soon as the pass found a difference.
    report: Report | None = None

    def shifted(self, seconds: float) -> "ReplicaStatus":
        """The same with all times moved by `seconds`."""
        return replace(
            self,
            status_since=_later(self.status_since, seconds),
            synced_at=_later(self.synced_at, seconds),
            compared_at=_later(self.compared_at, seconds),
            verified_at=_later(self.verified_at, seconds),
            succeeded_at=_later(self.succeeded_at, seconds),
            pending_since=_later(self.pending_since, seconds),
            unproven_since=_later(self.unproven_since, seconds),
            unread_since=_later(self.unread_since, seconds),
            changed_since=_later(self.changed_since, seconds),
        )

    def after(
        self, report: Report, *, now: float, since: float | None, taken_at: float, true_at: float
    ) -> "ReplicaStatus":
        """The status after a pass over this replica with this report, which ended `now`; it applies from `since`.

        Home Assistant was read at `taken_at`, and that read is known to be true up to `true_at`.
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
            changed_since=None,
            report=without_many_applied(report),
        )


class Status(msgspec.Struct, frozen=True):
    """The engine at one moment."""

    site: str
    version: str
    started_at: float
    source: SourceStatus
    replicas: tuple[ReplicaStatus, ...]
    report: Report | None = None  # of all replicas, merged from theirs


def replica_status(
    replica: ReplicaStatus, now: float, freshness: Freshness
) -> tuple[SyncStatus, float | None]:
    """in_sync, out_of_sync, blocked or unknown, as of `now`; and since when.

    A finding only counts while the engine follows Home Assistant on the connection on which it was read. `in_sync` also
    needs a recent watermark, a recent full look at the store, no announced change that takes long to read, and a last pass
    without an error of this store; with pending changes the status is `out_of_sync`.
    """
    if replica.status == SyncStatus.UNKNOWN:
        return SyncStatus.UNKNOWN, replica.status_since
    if replica.compared_at is None:
        return SyncStatus.UNKNOWN, None
    if replica.unproven_since is not None:
        return SyncStatus.UNKNOWN, replica.unproven_since
    if replica.status == SyncStatus.IN_SYNC and replica.synced_at is None:
        return SyncStatus.UNKNOWN, replica.status_since
    expires_at = _expires_at(replica, freshness)
    if now > expires_at:
        return SyncStatus.UNKNOWN, expires_at
    if replica.status == SyncStatus.IN_SYNC and replica.error is not None and not replica.is_error_elsewhere:
        return SyncStatus.UNKNOWN, replica.status_since
    if replica.status == SyncStatus.IN_SYNC and replica.pending:
        return SyncStatus.OUT_OF_SYNC, replica.pending_since
    return replica.status, replica.status_since


def _expires_at(replica: ReplicaStatus, freshness: Freshness) -> float:
    """The time until which a replica's findings count, Unix seconds."""
    return _expiry(replica, freshness)[0]


def _expiry(replica: ReplicaStatus, freshness: Freshness) -> tuple[float, str]:
    """(the time until which a replica's findings count, Unix seconds; why they no longer do afterwards)."""
    limits = [(replica.compared_at, freshness.stale_seconds, _OLD)]
    if replica.status == SyncStatus.IN_SYNC:
        limits += [
            (replica.synced_at, freshness.unknown_seconds, _UNPROVEN),
            (replica.verified_at, freshness.unverified_seconds, _OLD),
            (replica.unread_since, freshness.unread_seconds, _UNREAD),
        ]
    return min((at + seconds, why) for at, seconds, why in limits if at is not None)


def known_until(status: Status, replica: str | None, freshness: Freshness) -> tuple[float, float] | None:
    """(the time up to which a replica, or each, is known to hold what Home Assistant had; how far beyond it still counts).

    As for its status, what is known counts for a while. None if no replica is known of.
    """
    known = [_known_until(r, status, freshness) for r in status.replicas if replica in (None, r.replica)]
    return min(known, key=sum, default=None)


def _known_until(replica: ReplicaStatus, status: Status, freshness: Freshness) -> tuple[float, float]:
    is_of_home = replica.report is None or all(r.is_compared for r in replica.report.replicas)
    if replica.compared_at is None or not is_of_home:
        return replica.synced_at or status.started_at, 0.0
    if replica.status == SyncStatus.IN_SYNC and replica.synced_at is not None:
        at, seconds = replica.synced_at, freshness.unknown_seconds
    else:
        at, seconds = replica.compared_at, freshness.stale_seconds
    if (lost_at := replica.unproven_since) is not None:
        seconds = max(0.0, min(seconds, lost_at - at))
    unwritten_since = replica.pending_since if replica.error is not None else None
    limits = [
        (replica.unread_since, freshness.unread_seconds),
        (replica.changed_since, 0.0),
        (unwritten_since, 0.0),
    ]
    return min([(at, seconds), *((since, slack) for since, slack in limits if since is not None)], key=sum)


def status_word(status: Status, now: float, freshness: Freshness) -> SyncStatus:
    """The overall status: that of the worst replica. A pass with errors has not checked everything."""
    words = [replica_status(replica, now, freshness)[0] for replica in status.replicas]
    word = combined_status(words)
    has_errors = status.report is not None and bool(status.report.errors)
    return SyncStatus.UNKNOWN if word == SyncStatus.IN_SYNC and has_errors else word


def status_line(status: Status, now: float, freshness: Freshness) -> str:
    """The overall status and that of each replica, in one line."""
    words = [f"{r.replica} {replica_status(r, now, freshness)[0]}" for r in status.replicas]
    return f"{status_word(status, now, freshness)}: {', '.join(words) or 'no replica'}"


def why_not_ready(
    replica: ReplicaStatus, report: Report | None, now: float, freshness: Freshness
) -> str | None:
    """Why readers must not rely on a replica; None if they may.

    They may if it is in sync, and also while it only lacks changes that are about to be written, or deletes that wait for
    their second look: none of these are known to be wrong. No second look follows where nothing is written. `report` is
    that of the last pass.
    """
    word, _ = replica_status(replica, now, freshness)
    if word == SyncStatus.IN_SYNC:
        return None
    if word == SyncStatus.UNKNOWN:
        return replica.error or why_unknown(replica, freshness)
    if word == SyncStatus.BLOCKED:
        return "a guard holds changes back"
    if replica.error is not None:
        return replica.error
    left = Counter(r.outcome for r in open_records(report) if r.replica == replica.replica)
    harmless = None if report is not None and report.mode == Mode.OBSERVE else Outcome.WAITING
    wrong = {outcome: count for outcome, count in sorted(left.items()) if outcome != harmless}
    if wrong:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in wrong.items())
        return f"it is known to differ in {plural(sum(wrong.values()), 'record')} ({counts})"
    if kept := _too_many_kept(replica, report, is_alone=not left and not replica.pending):
        return kept
    if left:
        return _why_outdated(replica, now, freshness)
    if replica.pending and not _is_over(replica.pending_since, freshness.unknown_seconds, now):
        return None
    if not replica.pending:
        return "it is known to differ in rows that could not be compared"
    return f"it is known to differ; {plural(replica.pending, 'change')} {'waits' if replica.pending == 1 else 'wait'} to be written"


def _too_many_kept(replica: ReplicaStatus, report: Report | None, *, is_alone: bool) -> str | None:
    """Why rows that were not compared make a replica differ; None if they need not.

    Each row of Home Assistant that was set aside accounts for one of them. `is_alone`: nothing else makes it differ.
    """
    reports = report.replicas if report is not None else ()
    kept = next((found.counts.kept for found in reports if found.replica == replica.replica), 0)
    if report is None or not (kept > len(report.set_aside) or (kept and is_alone)):
        return None
    verb = "was" if kept == 1 else "were"
    return f"{plural(kept, 'row')} {verb} not compared, because rows of Home Assistant cannot be used; not all can be right"


def _why_outdated(replica: ReplicaStatus, now: float, freshness: Freshness) -> str | None:
    """Why what was found of a replica no longer counts, other than the time for which deletes have waited; None if it counts."""
    if _is_over(replica.unread_since, freshness.unread_seconds, now):
        return _UNREAD
    if _is_over(replica.changed_since, freshness.unknown_seconds, now):
        return f"{plural(len(replica.changed), 'change')} could not be written for too long"
    if _is_over(replica.verified_at, freshness.unverified_seconds, now):
        return _OLD
    return None


def why_unknown(replica: ReplicaStatus, freshness: Freshness) -> str:
    """Why a replica without an error is unknown."""
    if replica.unproven_since is not None:
        return "unknown: Home Assistant was lost, and nothing was compared since"
    if replica.compared_at is None:
        return "unknown: nothing was compared yet"
    if replica.status == SyncStatus.UNKNOWN:
        return "unknown: another program may have written to it, and nothing was compared since"
    _, why = _expiry(replica, freshness)
    made_at = replica.report.source.backup_at if replica.report is not None else None
    if made_at is not None and why != _UNREAD:
        return f"unknown: the backup was made at {rfc3339(made_at)}, and what Home Assistant changed since then is not in it"
    return f"unknown: {why}"


def _is_over(since: float | None, seconds: float, now: float) -> bool:
    return since is not None and now > since + seconds


def _later(at: float | None, seconds: float) -> float | None:
    return None if at is None else at + seconds


def lag_seconds(replica: ReplicaStatus, now: float) -> float | None:
    """How far behind the source a replica may be, seconds: the age of its watermark. None if it never was in sync."""
    return None if replica.synced_at is None else max(0.0, now - replica.synced_at)
