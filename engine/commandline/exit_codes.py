"""The exit codes. Imports no library, because `--help` prints this table.

The codes are those of `terraform plan -detailed-exitcode`, with usage errors moved to another number.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.state.report import Report

OK = 0
FAILED = 1
CHANGES = 2
REFUSED = 3
USAGE = 64
UNAVAILABLE = 69
STOPPED_BY_SIGNAL = 128  # plus the signal's number

TABLE = """\
exit codes:
  0    finished; with --detailed-exitcode: there was nothing to change
  1    failed: settings, connection, login, a replica; stderr and "errors" in the JSON say what
  2    only with --detailed-exitcode: there is something to change, or something was changed; for `drift`,
       anything differs, foreign rows too
  3    a guard held something back, or a saved plan is stale; what the guard does not concern was written;
       for `drift` only with --detailed-exitcode: no difference was found, but not all was compared, or what
       was compared does not count; `store` would have replaced a file, or a service keeps the store:
       nothing was written
  64   the command line is wrong
  69   only healthcheck: nothing answers at the service's address
  130  stopped by SIGINT, 143 by SIGTERM: each replica is as before or after a whole transaction
"""


def pass_code(report: "Report", *, detailed: bool) -> int:
    """The exit code of a pass."""
    if report.errors:
        return FAILED
    if any(replica.refusals for replica in report.replicas):
        return REFUSED
    return CHANGES if detailed and any(r.action is not None for r in report.records) else OK


def drift_code(report: "Report", *, detailed: bool) -> int:
    """The exit code of a drift report; foreign rows count. What was not compared, or does not count, is not equal."""
    if report.errors:
        return FAILED
    if not detailed:
        return OK
    is_believed = not any(replica.not_this_home for replica in report.replicas)
    if report.records and is_believed:
        return CHANGES
    if any(replica.refusals for replica in report.replicas):
        return REFUSED
    return OK if report.status == "in_sync" or not report.replicas else CHANGES
