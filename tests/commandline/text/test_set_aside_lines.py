"""What was set aside is in every report, and no sentence calls the home equal without it."""

from engine.commandline.text.colour import Paint
from engine.commandline.text.drift import DriftText, render_drift
from engine.commandline.text.plan import PlanText, render_plan
from engine.commandline.text.set_aside_lines import set_aside_lines
from engine.core.records.set_aside import SetAside
from engine.core.state.report import Counts
from tests.commandline.reports import replica, report

ROWS = (
    SetAside("device", "id", "null", "its id is null", name="Lamp\x1b[2J", position=3),
    SetAside("entity", "unique_id", "list", "its unique_id is a list", "e1", "light.a", position=7),
)
LINES = """\
2 rows of Home Assistant cannot be used and are set aside; what a replica holds under them stays:
  ! device, row 3, Lamp\\u001b[2J, without an id: its id is null
  ! entity, row 7, light.a, id e1: its unique_id is a list
"""


def test_a_pass_and_drift_name_each_row_and_call_nothing_equal_without_them() -> None:
    equal = report(set_aside=ROWS)
    assert render_plan(equal, PlanText()) == (
        LINES + "\nNothing to do: sqlite and history hold exactly what Home Assistant has (183 records), "
        "but for 2 rows that cannot be used.\n"
    )
    assert render_drift(equal, DriftText()) == (
        LINES + "\nIn sync: sqlite and history equal Home Assistant (183 records), "
        "but for 2 rows that cannot be used.\n"
    )


def test_rows_that_were_not_compared_are_counted() -> None:
    replicas = (replica(status="out_of_sync", counts=Counts(kept=3)),)
    reported = render_drift(report(set_aside=ROWS, replicas=replicas), DriftText())
    assert "  3 rows not compared in sqlite because of that\n" in reported
    assert reported.endswith("\nDrift: 3 rows not compared in sqlite.\n")


def test_without_any_there_is_nothing_to_say() -> None:
    assert set_aside_lines(report(), Paint(False), is_full=False) == []
