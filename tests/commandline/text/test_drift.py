"""The text of a drift report, letter by letter."""

import re

import pytest

from engine.commandline.text.colour import Paint
from engine.commandline.text.drift import DriftText, render_drift, which_side
from engine.commandline.text.plan import PlanText, refusal_lines, render_plan
from engine.core.compare.diff import IN_PROGRESS, Cause, Kind
from engine.core.state.report import RecordReport, RefusalReport, SourceReport
from engine.core.times import Instant
from engine.core.words import GuardName
from tests.commandline.reports import NOON, added, changed, foreign, record, removed, replica, report, unread

PLAIN = DriftText()
BACK = "the replica was changed by someone else after the engine wrote it"


def test_each_record_shows_the_differing_side_its_time_and_reason() -> None:
    found = report(
        changed("Hub", ("name", "old", "new"), since=Instant(NOON - 2 * 3600)),
        changed("Lamp", ("area_id", "attic", None), cause=Cause.DRIFT, why=(BACK,)),
        removed("Gone"),
        added("Plug"),
        foreign("Mock"),
        mode="drift",
    )
    assert (
        render_drift(found, PLAIN)
        == f"""\
sqlite:
  - remove  device/gone "Gone" (pending: gone from Home Assistant, since 2026-11-23T12:00:00.000Z)
      missing from this read for the first time
  ~ change  device/hub "Hub" (pending: changed in Home Assistant, since 2026-11-23T10:00:00.000Z)
      name: Home Assistant "new", sqlite "old"
  ~ change  device/lamp "Lamp" (drift: changed in sqlite, since 2026-11-23T12:00:00.000Z)
      area_id: Home Assistant none, sqlite "attic"
      {BACK}
  + add     device/plug "Plug" (pending: not yet in sqlite, since 2026-11-23T12:00:00.000Z)
  ? foreign device/mock "Mock" (foreign: only sqlite has it)
      Home Assistant does not have it and the engine never wrote it
      no entity belongs to it

Drift: 3 pending, 1 drift, 1 foreign in sqlite; history in sync.
"""
    )


@pytest.mark.parametrize(
    ("found", "reported"),
    [
        (record("A", cause=Cause.CONFLICT), "both sides changed"),
        (record("A", cause=Cause.DRIFT, kind=Kind.MISSING), "deleted from sqlite by someone else"),
        (record("A", applied_hash=None), "never written to sqlite by the engine"),
        (record("A", applied_hash=IN_PROGRESS), "a write to sqlite was cut off"),
        (foreign("A"), "only sqlite has it"),
    ],
)
def test_the_side_that_changed_is_named(found: RecordReport, reported: str) -> None:
    assert which_side(found) == reported


def test_in_sync_needs_every_replica_compared() -> None:
    assert (
        render_drift(report(), PLAIN) == "In sync: sqlite and history equal Home Assistant (183 records).\n"
    )
    of_itself = report(source=SourceReport("records (history)", True, records=183))
    assert (
        render_drift(of_itself, PLAIN)
        == "In sync: sqlite and history equal records (history) (183 records).\n"
    )
    assert (
        render_drift(unread(), PLAIN)
        == "Unknown: Home Assistant could not be read, so nothing was compared.\n"
    )
    failed = replica("history", status="unknown", fingerprint=None)
    half = report(replicas=(replica(), failed), errors=unread().errors)
    assert render_drift(half, PLAIN) == "Incomplete: sqlite in sync; history unknown.\n"


def test_what_was_not_compared_is_never_called_in_sync() -> None:
    not_home = RefusalReport(GuardName.RECOVERY_MODE, "Not the home.", "Repair it.", 0)
    both = tuple(replica(n, status="blocked", refusals=(not_home,)) for n in ("sqlite", "history"))
    lines = render_drift(report(replicas=both), PLAIN).splitlines()
    assert lines[-1] == "Refused by recovery_mode, so nothing that was compared counts."
    lines = render_drift(report(foreign("Mock"), replicas=both), PLAIN).splitlines()
    assert lines[-1] == "Refused by recovery_mode, so nothing that was compared counts."
    one = (replica("sqlite"), both[1])
    lines = render_drift(report(foreign("Mock"), replicas=one), PLAIN).splitlines()
    assert lines[-1] == "Drift: 1 foreign in sqlite; history refused by recovery_mode."
    partly = RefusalReport(GuardName.REGISTRY_UNREAD, "label was not read.", "Restore it.", 0)
    lines = render_drift(
        report(replicas=(replica(status="blocked", refusals=(partly,)),)), PLAIN
    ).splitlines()
    assert lines[-1] == "Incomplete: sqlite refused by registry_unread."


def test_the_registries_that_were_compared_are_named_unless_all_were() -> None:
    some = SourceReport("ws://home", True, "2026.11.0", "RUNNING", 3, ("label",))
    assert (
        render_drift(report(source=some), PLAIN)
        == "In sync: sqlite and history equal Home Assistant (3 records of label).\n"
    )
    assert render_drift(report(added("Plug"), source=some), PLAIN).endswith(
        "\nDrift (label): 1 pending in sqlite; history in sync.\n"
    )


def test_hashes_are_shown_on_request() -> None:
    text = render_drift(report(added("Plug")), DriftText(with_hashes=True))
    assert "      Home Assistant: 1:new\n      sqlite: none\n      last applied: none\n" in text


def test_the_cap_and_the_colours_are_those_of_a_plan() -> None:
    many = report(*(added(f"Plug {n}") for n in range(60)))
    assert "... and 10 more (--full)" in render_drift(many, PLAIN)
    assert "more" not in render_drift(many, DriftText(is_full=True))
    painted = render_drift(many, DriftText(Paint(True)))
    assert re.sub(r"\x1b\[\d+m", "", painted) == render_drift(many, PLAIN)


@pytest.mark.parametrize("evil", ["\x1b[2J", "\u202egpj", "a\nIn sync: "])
def test_nothing_from_a_device_reaches_the_terminal_as_a_command(evil: str) -> None:
    hostile = record(evil, key=evil, fields=changed("x", (evil, evil, evil)).fields, why=(evil,))
    for line in render_drift(report(hostile), PLAIN).split("\n"):
        assert all(c.isprintable() for c in line)
        assert not line.startswith("In sync")


HELD_BACK = RefusalReport(
    GuardName.DELETE_RATIO, "Plan deletes 73 of 205 records.\x1b[2J", "Pass --max-delete 73.", 73
)
HELD_LINES = """\
Refused by delete_ratio: 73 operations held back in sqlite.
  Plan deletes 73 of 205 records.\\u001b[2J
  Pass --max-delete 73.
  More: reconcile docs delete_ratio
"""


def test_each_guard_has_its_lines_in_every_report() -> None:
    held = report(removed("Gone", outcome="held"), replicas=(replica(refusals=(HELD_BACK,)),))
    assert "\n".join(refusal_lines(held, Paint(False))) + "\n" == HELD_LINES
    assert HELD_LINES in render_drift(held, DriftText())
    assert HELD_LINES in render_plan(held, PlanText())


@pytest.mark.parametrize("mode", ["apply", "dry_run"])
def test_a_delete_that_a_backup_shows_waits_for_a_newer_one(mode: str) -> None:
    """It asked to run again, or for an option that reads again, and neither confirms it."""
    source = SourceReport("backup:b.tar", True, backup_at=NOON, note="b.tar has no date.")
    waiting = removed("Old", outcome="waiting", since=NOON, waits_for_backup=True)
    lines = render_plan(report(waiting, mode=mode, source=source), PlanText()).splitlines()
    assert lines[-3:-1] == [
        "b.tar has no date.",
        "1 delete waits for a newer backup: one that was made after 2026-11-23T12:01:00.000Z and lacks it too. "
        "Reading this one again confirms nothing; to delete now, run with RECONCILE_PLAN__DELETE_CONFIRM_SECONDS=0.",
    ]
    assert '  - remove  device/old "Old" (waits for a newer backup)' in lines
    assert "b.tar has no date." in render_drift(report(waiting, source=source), PLAIN).splitlines()
