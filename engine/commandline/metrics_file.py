"""`--metrics-file`: the metrics of a pass from cron for Prometheus, through node_exporter's textfile collector.

The file holds the same families as the service's endpoint, made from this one pass. For a replica that could not be
read this time, an earlier pass's values are not kept: a watermark needs evidence.
"""

import time
from pathlib import Path

from engine import __version__
from engine.commandline.pass_status import status_of
from engine.core.state.intervals import AGELESS
from engine.core.state.report import Report
from engine.errors import SettingsError
from engine.files.causes import cause_of
from engine.metrics.series import Metrics

_ADVICE = "Let --metrics-file name a file in a folder that is writable."


def write_metrics(path: str, report: Report) -> None:
    """Write the metrics of one pass, atomically. Raises SettingsError when the file cannot be written."""
    status = status_of(report, time.time())
    names = [replica.replica for replica in report.replicas]
    # The file shows one moment, at which nothing is stale.
    metrics = Metrics(lambda: status, time.time, version=__version__, replicas=names, freshness=AGELESS)
    metrics.on_report(report)
    try:
        metrics.write_textfile(path)
    except OSError as error:
        cause = cause_of(error.errno or 0, Path(path))
        reason = cause.reason if cause is not None else error.strerror or error
        advice = cause.advice if cause is not None else _ADVICE
        raise SettingsError(f"Cannot write the metrics file {path}: {reason}.", advice) from error
