"""`--metrics-file`: what a pass from cron tells Prometheus, through node_exporter's textfile collector.

The file holds the same families as the service's endpoint, made from this one pass. What an earlier pass said
of a replica that could not be looked at this time is gone with the file: a watermark that nobody vouches for
is no watermark.
"""

import time
from datetime import datetime

from engine import __version__
from engine.core.state.pace import AGELESS
from engine.core.state.report import ReplicaReport, Report
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.errors import SettingsError
from engine.metrics import Metrics


def write_metrics(path: str, report: Report) -> None:
    """Write the metrics of one pass, atomically. Raises SettingsError when the file cannot be written."""
    status = status_of(report, time.time())
    names = [replica.replica for replica in report.replicas]
    # The file tells of one moment, in which nothing is stale.
    metrics = Metrics(lambda: status, time.time, version=__version__, replicas=names, freshness=AGELESS)
    metrics.on_report(report)
    try:
        metrics.write_textfile(path)
    except OSError as error:
        raise SettingsError(
            f"Cannot write the metrics file {path}: {error.strerror or error}.",
            "Let --metrics-file name a file in a folder that is writable.",
        ) from error


def status_of(report: Report, now: float) -> Status:
    """The status that one pass leaves behind."""
    compared_at = datetime.fromisoformat(report.compared_at).timestamp()
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
    looked = found.status != "unknown"
    return ReplicaStatus(
        replica=found.replica,
        status=found.status,
        synced_at=compared_at if found.status == "in_sync" else None,
        compared_at=compared_at if looked else None,
        succeeded_at=now if looked and error is None else None,
        pending=found.pending,
        error=error,
    )
