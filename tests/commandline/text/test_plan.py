"""The text of a pass, letter by letter."""

import re

import msgspec
import pytest

from engine.commandline.text.colour import Paint
from engine.commandline.text.plan import PlanText, render_plan
from engine.core.compare.diff import Cause
from engine.core.compare.plan import Action
from engine.core.state.report import Report, SourceReport
from engine.core.times import Instant
from tests.commandline.reports import (
    NOON,
    added,
    changed,
    foreign,
    record,
    refusal,
    removed,
    replica,
    report,
    unread,
)

PLAIN = PlanText()
MOVE = record(
    "Lamp",
    registry="entity",
    key="e1",
    action=Action.MOVE,
    fields=changed("x", ("entity_id", "light.a", "light.b")).fields,
)


def test_a_plan_names_every_change_and_ends_with_one_line() -> None:
    text = render_plan(
        report(
            added("Plug"),
            changed("Hub", ("name", "old", "new"), ("area_id", None, "kitchen")),
            MOVE,
            removed("Gone"),
            added("Alpha"),
        ),
        PLAIN,
    )
    assert (
        text
        == """\
Source: ws://home:8123 (Home Assistant 2026.11.0, RUNNING, 183 records)

sqlite:
  - remove  device/gone "Gone"
      missing from this read for the first time
  > move    entity/e1 "Lamp"
      entity_id: "light.a" -> "light.b"
  ~ change  device/hub "Hub"
      name: "old" -> "new"
      area_id: none -> "kitchen"
  + add     device/alpha "Alpha"
  + add     device/plug "Plug"

Plan: 2 to add, 1 to change, 1 to move, 1 to remove (sqlite); nothing to do (history). Nothing was written.
"""
    )


def test_the_order_of_a_report_does_not_matter() -> None:
    records = [added("A"), added("B"), changed("C"), removed("D"), foreign("E")]
    assert render_plan(report(*records), PLAIN) == render_plan(report(*reversed(records)), PLAIN)


def test_a_pass_reports_its_writes() -> None:
    done = report(
        added("Plug", outcome="applied"),
        removed("Gone", outcome="applied"),
        changed("Hub", outcome="applied"),
        mode="apply",
    )
    assert render_plan(done, PLAIN).endswith(
        "\nApplied: 1 added, 1 changed, 1 removed (sqlite); nothing to do (history).\n"
    )


def test_nothing_to_do_is_one_line() -> None:
    expected = "Nothing to do: sqlite and history hold exactly what Home Assistant has (183 records).\n"
    assert render_plan(report(mode="apply"), PLAIN) == expected
    assert render_plan(report(), PLAIN) == expected


def test_a_file_or_store_does_not_speak_for_home_assistant() -> None:
    kept = SourceReport("records (history)", True, records=183)
    assert (
        render_plan(report(source=kept), PLAIN)
        == "Nothing to do: sqlite and history hold exactly what records (history) has (183 records).\n"
    )


def test_foreign_rows_are_listed_separately_with_reasons_and_never_called_in_sync() -> None:
    assert (
        render_plan(report(foreign("Mock"), foreign("Mock 2"), mode="apply"), PLAIN)
        == """\
Source: ws://home:8123 (Home Assistant 2026.11.0, RUNNING, 183 records)

sqlite:
  ? foreign device/mock "Mock"
      Home Assistant does not have it and the engine never wrote it
      no entity belongs to it
  ? foreign device/mock 2 "Mock 2"
      Home Assistant does not have it and the engine never wrote it
      no entity belongs to it

2 foreign rows are left alone. To delete them: --prune-foreign
Nothing to do: sqlite and history hold all that Home Assistant has (183 records); besides, there are 2 foreign rows in sqlite.
"""
    )


def test_a_pruned_foreign_row_is_a_removal() -> None:
    pruned = foreign("Mock", action=Action.DELETE, outcome="applied")
    text = render_plan(report(pruned, mode="apply"), PLAIN)
    assert '  - remove  device/mock "Mock"\n' in text
    assert text.endswith("Applied: 1 removed (sqlite); nothing to do (history).\n")


def test_a_refusal_names_the_guard_its_numbers_and_the_setting() -> None:
    held = report(
        removed("Old", outcome="held"),
        added("New", outcome="applied"),
        mode="apply",
        replicas=(replica(refusals=(refusal(),)), replica("history")),
    )
    text = render_plan(held, PLAIN)
    assert '  - remove  device/old "Old" (held back by a guard)\n' in text
    assert text.endswith("""\

Refused by delete_ratio: 412 operations held back in sqlite.
  Plan deletes 412 of 980 records (42%).
  To allow this, raise plan.delete_ratio_max (now 0.10), or pass --max-delete 412.
  More: reconcile docs delete_ratio
Applied: 1 added, 1 held (sqlite); nothing to do (history).
""")


@pytest.mark.parametrize(
    ("mode", "reported"),
    [
        ("apply", "run again in 60 s with --max-delete 40, or add --confirm-deletes to that."),
        ("dry_run", "run `reconcile --max-delete 40` twice, 60 s apart, or `reconcile --max-delete 40 --confirm-deletes` now."),
    ],
)  # fmt: skip
def test_a_delete_that_waits_because_it_was_allowed_needs_that_option_again(mode: str, reported: str) -> None:
    waiting = removed("Old", outcome="waiting", since=NOON)
    text = render_plan(report(waiting, mode=mode), PlanText(allowed="--max-delete 40"))
    assert f"1 delete waits for a second look: {reported}" in text.splitlines()


@pytest.mark.parametrize(
    ("mode", "since", "reported"),
    [
        ("apply", NOON, "1 delete waits for a second look: run again in 60 s, or pass --confirm-deletes."),
        ("apply", Instant(NOON - 30), "1 delete waits for a second look: run again in 30 s, or pass --confirm-deletes."),
        ("apply", None, "1 delete waits for a second look: run again in 60 s, or pass --confirm-deletes."),
        (
            "dry_run",
            NOON,
            "1 delete waits for a second look: run `reconcile` twice, 60 s apart, or `reconcile --confirm-deletes` now.",
        ),
        (
            "drift",
            Instant(NOON - 30),
            "1 delete waits for a second look: run `reconcile` in 30 s, or `reconcile --confirm-deletes` now.",
        ),
    ],
)  # fmt: skip
def test_a_waiting_delete_shows_how_long(mode: str, since: Instant | None, reported: str) -> None:
    both = [removed("Old", outcome="waiting", since=since, replica=name) for name in ("sqlite", "history")]
    lines = render_plan(report(*both, mode=mode), PLAIN).splitlines()
    assert lines[-2] == reported
    assert '  - remove  device/old "Old" (waits for a second look)' in lines


def test_a_difference_in_two_replicas_is_one_line() -> None:
    fields = (("area_id", None, "kitchen"), ("effective_area_id", None, "kitchen"))
    both = [changed("Hub", *fields), changed("Hub", *fields[:1], replica="history", source_hash="1:other")]
    text = render_plan(report(*both), PLAIN)
    assert "history:\n  1 record: the same as in sqlite\n\nPlan: " in text
    assert text.count("device/hub") == 1
    assert render_plan(report(*both), PlanText(is_full=True)).count("device/hub") == 2
    both[1] = changed("Hub", ("area_id", "attic", "kitchen"), replica="history")
    both.append(changed("Lamp", replica="history"))
    text = render_plan(report(*both), PLAIN)
    assert (text.count("device/hub"), text.count("device/lamp")) == (2, 1)
    assert "the same" not in text


def test_each_group_is_capped_at_fifty_lines_so_that_removals_stay_visible() -> None:
    many = [added(f"Plug {n:03}") for n in range(264)] + [removed("Gone")]
    lines = render_plan(report(*many), PLAIN).splitlines()
    assert lines[3] == '  - remove  device/gone "Gone"'
    assert sum(line.startswith("  + add") for line in lines) == 50
    assert "    ... and 214 more (--full)" in lines
    full = render_plan(report(*many), PlanText(is_full=True))
    assert full.count("+ add") == 264
    assert "more" not in full


def test_a_record_is_printed_whole_or_not_at_all() -> None:
    wide = [changed(f"Hub {n}", *((f"field_{i:02}", 0, i) for i in range(40))) for n in range(3)]
    text = render_plan(report(*wide), PLAIN)
    assert text.count("field_39") == 1
    assert "... and 2 more (--full)" in text


def test_a_home_that_was_not_read_is_unknown() -> None:
    assert render_plan(unread(), PLAIN) == (
        "Unknown: Home Assistant could not be read, so nothing was compared and nothing was written.\n"
    )


def test_replicas_fail_alone_and_are_reported_separately() -> None:
    failed = replica("history", status="unknown", fingerprint=None, error="locked")
    partly = report(
        added("Plug", outcome="applied"),
        mode="apply",
        replicas=(replica(), failed),
        errors=unread().errors,
        partial=True,
    )
    assert render_plan(partly, PLAIN).endswith("\nApplied: 1 added (sqlite); not compared (history).\n")
    nothing = report(mode="apply", replicas=(replica(), failed), errors=unread().errors, partial=True)
    assert (
        render_plan(nothing, PLAIN)
        == "Nothing was written: nothing to do (sqlite); not compared (history).\n"
    )
    unwritten = report(
        added("Plug", outcome="failed"),
        mode="apply",
        replicas=(replica(error="disk full"),),
        errors=unread().errors,
    )
    text = render_plan(unwritten, PLAIN)
    assert '+ add     device/plug "Plug" (failed)' in text
    assert text.endswith("\nNothing was written: 1 failed (sqlite).\n")
    many = msgspec.structs.replace(
        unwritten, records=tuple(added(f"Plug {n}", outcome="failed") for n in range(11))
    )
    text = render_plan(many, PLAIN)
    assert "(failed)" not in text
    assert "\nsqlite:\n  11 changes, none of them written\n\nNothing was written: 11 failed (sqlite)." in text
    assert render_plan(many, PlanText(is_full=True)).count("(failed)") == 11


def test_observe_mode_is_mentioned() -> None:
    text = render_plan(report(added("Plug", outcome="observed"), mode="observe"), PLAIN)
    assert text.endswith(
        "Plan: 1 to add (sqlite); nothing to do (history). Nothing was written (observe mode).\n"
    )


def test_changes_behind_our_back_say_why() -> None:
    why = ("the replica was changed by someone else after the engine wrote it",)
    text = render_plan(report(changed("Hub", ("name", "x", "y"), cause=Cause.DRIFT, why=why)), PLAIN)
    assert '      name: "x" -> "y"\n      the replica was changed by someone else' in text


def test_colour_only_repeats_symbols_and_words() -> None:
    found = report(added("A"), changed("B"), removed("C"), MOVE, foreign("D"))
    painted = render_plan(found, PlanText(Paint(True)))
    assert '\x1b[32m+ add     device/a "A"\x1b[0m' in painted
    assert '\x1b[33m~ change  device/b "B"\x1b[0m' in painted
    assert '\x1b[31m- remove  device/c "C"\x1b[0m' in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == render_plan(found, PLAIN)


@pytest.mark.parametrize("evil", ["\x1b[2J\x1b]0;x\x07", "\u202egpj", "a\nPlan: nothing", "\x9bK", "\r\x08"])
def test_nothing_from_a_device_reaches_the_terminal_as_a_command(evil: str) -> None:
    hostile = record(
        evil,
        key=evil,
        registry="entity",
        fields=changed("x", (evil, evil, {evil: [evil]})).fields,
        why=(evil,),
    )
    source = SourceReport(evil, True, evil, evil, 1)
    guards = (msgspec.structs.replace(refusal(), message=evil, hint=evil),)
    found = report(hostile, source=source, replicas=(replica(refusals=guards),))
    for line in render_plan(found, PLAIN).split("\n"):
        assert all(c.isprintable() for c in line)
        assert not line.startswith("Plan: nothing")


def test_long_values_are_cut() -> None:
    found: Report = report(changed("N" * 5000, ("name", "x" * 5000, "y" * 5000)))
    assert max(len(line) for line in render_plan(found, PLAIN).splitlines()) < 400
