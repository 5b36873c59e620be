"""The status: one immutable view of a running engine, from which metrics, API and page are made.

Times are Unix seconds, UTC. A time that is None never was; nothing here is ever guessed or reset to zero.
"""

import msgspec

from engine.core.report import Report


class SourceStatus(msgspec.Struct, frozen=True):
    """How it stands with Home Assistant."""

    uri: str
    connected: bool
    version: str | None = None
    state: str | None = None
    connected_at: float | None = None
    last_message_at: float | None = None
    error: str | None = None


class ReplicaStatus(msgspec.Struct, frozen=True):
    """How it stands with one replica."""

    replica: str
    status: str  # in_sync, out_of_sync, blocked, unknown
    status_since: float | None = None  # when this status was found after another one
    synced_at: float | None = None  # the replica is known to hold every change of the source up to here
    compared_at: float | None = None  # when it was last compared in full
    succeeded_at: float | None = None  # when a pass over it last ended without an error
    pending: int = 0
    pending_since: float | None = None  # the oldest difference not yet written
    error: str | None = None


class Status(msgspec.Struct, frozen=True):
    """The engine at one moment."""

    site: str
    version: str
    started_at: float
    source: SourceStatus
    replicas: tuple[ReplicaStatus, ...]
    report: Report | None = None  # of the last pass that ended


def replica_status(replica: ReplicaStatus, now: float, stale_seconds: float) -> tuple[str, float | None]:
    """in_sync, out_of_sync, blocked or unknown, as of `now`; and since when.

    A comparison that is older than `stale_seconds`, or never was, is no knowledge.
    """
    if replica.status == "unknown":
        return "unknown", replica.status_since
    if replica.compared_at is None:
        return "unknown", None
    stale_at = replica.compared_at + stale_seconds
    return (replica.status, replica.status_since) if now <= stale_at else ("unknown", stale_at)


def status_word(status: Status, now: float, stale_seconds: float) -> str:
    """The status of the whole: that of its worst replica."""
    words = [replica_status(replica, now, stale_seconds)[0] for replica in status.replicas]
    return next(
        (w for w in ("unknown", "blocked", "out_of_sync") if w in words), "in_sync" if words else "unknown"
    )


def lag_seconds(replica: ReplicaStatus, now: float) -> float | None:
    """How far behind the source a replica may be: the age of its watermark. None when it never was in sync."""
    return None if replica.synced_at is None else max(0.0, now - replica.synced_at)
