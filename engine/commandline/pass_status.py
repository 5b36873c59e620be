"""The status after one pass: what a command knows about the home at that moment."""

from engine import __version__
from engine.core.state.report import ReplicaReport, Report
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import SyncStatus


def status_of(report: Report, now: float) -> Status:
    """The status after one pass, at `now` (Unix seconds)."""
    compared_at = report.compared_at
    failed = {error.subject: error.message for error in report.errors}
    return Status(
        site=report.site,
        version=__version__,
        started_at=now,
        source=SourceStatus(
            uri=report.source.uri,
            connected=report.source.connected,
            version=report.source.version,
            state=report.source.state,
            last_message_at=compared_at if report.source.connected else None,
            error=failed.get("source"),
        ),
        replicas=tuple(_replica_status(r, compared_at, now, failed.get(r.replica)) for r in report.replicas),
        report=report,
    )


def _replica_status(found: ReplicaReport, compared_at: float, now: float, error: str | None) -> ReplicaStatus:
    looked = found.status != SyncStatus.UNKNOWN
    return ReplicaStatus(
        replica=found.replica,
        status=found.status,
        synced_at=compared_at if found.status == SyncStatus.IN_SYNC else None,
        compared_at=compared_at if looked else None,
        succeeded_at=now if looked and error is None else None,
        pending=found.pending,
        error=error,
    )
