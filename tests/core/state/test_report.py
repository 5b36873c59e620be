"""The report that is kept of a pass: what was written in masses is counted and not listed."""

from engine.core.state.report import APPLIED_MAX, without_many_applied
from engine.core.words import Outcome
from tests.commandline.reports import changed, report


def test_a_pass_that_wrote_more_than_can_be_listed_keeps_what_still_differs() -> None:
    held = [changed(f"held {n}", outcome=Outcome.HELD) for n in range(3)]
    applied = [changed(f"applied {n}", outcome=Outcome.APPLIED) for n in range(APPLIED_MAX + 1)]
    assert without_many_applied(report(*held, *applied)).records == tuple(held)


def test_what_differs_is_kept_however_much_it_is() -> None:
    held = [changed(f"held {n}", outcome=Outcome.HELD) for n in range(APPLIED_MAX + 1)]
    made = report(*held, changed("applied", outcome=Outcome.APPLIED))
    assert without_many_applied(made) is made
    assert without_many_applied(report(*held[:2])) == report(*held[:2])
