"""What was set aside is in every report, and no sentence calls the home equal without it."""

import msgspec
import pytest

from engine.commandline.text.colour import Paint
from engine.commandline.text.drift import DriftText, render_drift
from engine.commandline.text.plan import PlanText, render_plan
from engine.commandline.text.set_aside_lines import set_aside_lines
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.core.state.report import Counts, RecordReport, RefusalReport, SourceReport
from engine.core.words import GuardName
from tests.commandline.reports import added, foreign, replica, report

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


@pytest.mark.parametrize("guard", [GuardName.RECOVERY_MODE, GuardName.WRONG_INSTANCE])
@pytest.mark.parametrize("records", [(), (foreign("Mock"),)])
def test_a_source_that_is_not_the_home_proves_nothing(
    guard: GuardName, records: tuple[RecordReport, ...]
) -> None:
    not_home = RefusalReport(guard, "It is not the home.", "Nothing was changed.", 0)
    both = tuple(replica(n, status="blocked", refusals=(not_home,)) for n in ("sqlite", "history"))
    text = render_plan(report(*records, replicas=both, mode="apply"), PlanText())
    assert text.endswith(
        f"\nRefused by {guard}, so nothing that was compared counts and nothing was written.\n"
    )
    assert "exactly" not in text
    assert "all that" not in text
    one = report(added("Plug", outcome="held"), replicas=both, mode="apply")
    assert render_plan(one, PlanText()).endswith(
        "\nNothing was written: 1 held (sqlite); refused (history).\n"
    )


def test_what_a_guard_left_uncompared_is_not_called_equal() -> None:
    unread_ = RefusalReport(GuardName.REGISTRY_UNREAD, "label was not read.", "Restore it.", 0)
    read = SourceReport("ws://home", True, "2026.11.0", "RUNNING", 180, ("area", "device"))
    text = render_plan(report(source=read, replicas=(replica(refusals=(unread_,)),)), PlanText())
    assert text.endswith(
        "\nNothing to do: all that could be compared is as in Home Assistant (180 records of area and device).\n"
    )


def test_the_registries_that_were_compared_are_named_unless_all_were() -> None:
    some = SourceReport("ws://home", True, "2026.11.0", "RUNNING", 183, ("area", "device"))
    assert "(183 records of area and device)" in render_plan(report(source=some), PlanText())
    every = msgspec.structs.replace(some, registries=REGISTRIES)
    assert "(183 records)" in render_plan(report(source=every), PlanText())
