"""The exit code of every kind of report."""

import pytest

from engine.commandline.exit_codes import drift_code, pass_code
from engine.core.state.report import RefusalReport, Report
from engine.core.words import GuardName
from tests.commandline.reports import added, foreign, refusal, removed, replica, report, unread

REFUSED = report(removed("Old", outcome="held"), replicas=(replica(refusals=(refusal(),)),))

RECOVERY = RefusalReport(GuardName.RECOVERY_MODE, "Not the home.", "Repair it.", 0)
RECOVERING = report(replicas=(replica(status="blocked", refusals=(RECOVERY,)),))
UNREAD = RefusalReport(GuardName.REGISTRY_UNREAD, "label was not read.", "Restore it.", 0)


@pytest.mark.parametrize(
    ("found", "plain", "detailed", "drift"),
    [
        (report(), 0, 0, 0),
        (report(added("New")), 0, 2, 2),
        (report(added("New", outcome="applied"), mode="apply"), 0, 2, 2),
        (report(removed("Old", outcome="waiting"), mode="apply"), 0, 2, 2),
        (report(foreign("Mock")), 0, 0, 2),
        (REFUSED, 3, 3, 2),
        (RECOVERING, 3, 3, 3),
        (report(removed("Old", outcome="held"), replicas=RECOVERING.replicas), 3, 3, 3),
        (report(added("New"), replicas=(*RECOVERING.replicas, replica("history"))), 3, 3, 3),
        (report(replicas=(replica(status="blocked", refusals=(UNREAD,)),)), 3, 3, 3),
        (report(status="out_of_sync", replicas=(replica(status="out_of_sync"),)), 0, 0, 2),
        (unread(), 1, 1, 1),
        (report(added("New"), replicas=REFUSED.replicas, errors=unread().errors), 1, 1, 1),
    ],
)
def test_the_exit_code_reflects_the_outcome(found: Report, plain: int, detailed: int, drift: int) -> None:
    assert pass_code(found, detailed=False) == plain
    assert pass_code(found, detailed=True) == detailed
    assert drift_code(found, detailed=True) == drift
    assert drift_code(found, detailed=False) == (1 if found.errors else 0)
