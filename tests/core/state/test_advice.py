"""Every guard there is has advice, and every command in it can be run."""

import re
from pathlib import Path

import pytest

from engine.commandline.arguments.parser import parse
from engine.core.state.advice import DELETES_HELD, GUARDS, KINDS, Advice, command_for, remedy
from engine.core.words import GuardName, Outcome

CORE = Path(__file__).parents[3] / "engine" / "core" / "guards"


def test_every_guard_has_advice() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(CORE.glob("*.py")))
    named = {GuardName[name] for name in re.findall(r"GuardName\.([A-Z_]+)", text)}
    assert named == set(GUARDS) == set(GuardName)


@pytest.mark.parametrize("advice", [*GUARDS.values(), *KINDS.values()], ids=lambda advice: advice.title)
def test_each_is_one_sentence_and_a_command_that_there_is(advice: Advice) -> None:
    for text in (advice.meaning, advice.action):
        assert text.endswith(".")
    if advice.command:
        program, *words = advice.command.split()
        assert program == "reconcile"
        parse(words)  # exits for what there is not


def test_an_outcome_has_a_command_of_its_own() -> None:
    assert command_for("gone", Outcome.WAITING) == "reconcile --confirm-deletes"
    assert command_for("drifted", Outcome.OBSERVED) is None
    assert command_for("gone", Outcome.FAILED) == "reconcile doctor"
    assert command_for("gone", Outcome.HELD) == "reconcile --confirm-deletes"
    assert command_for("foreign", None) == "reconcile --prune-foreign"


@pytest.mark.parametrize(
    ("state", "outcomes", "promises", "command"),
    [
        ("pending", {Outcome.PLANNED}, "The next pass writes it.", "reconcile doctor"),
        ("pending", {Outcome.FAILED, Outcome.PLANNED}, "The next pass writes it.", "reconcile doctor"),
        ("pending", {Outcome.HELD}, "A guard holds back all these changes", None),
        ("pending", {Outcome.WAITING}, "All these changes depend on deletes", "reconcile --confirm-deletes"),
        ("drifted", {Outcome.WAITING}, "All these changes depend on deletes", "reconcile --confirm-deletes"),
        (
            "missing",
            {Outcome.WAITING, Outcome.PLANNED},
            "Some of these wait for a second look at deletes that they depend on. Of the others: the next pass writes it.",
            "reconcile",
        ),
        (
            "missing",
            {Outcome.HELD, Outcome.PLANNED},
            "A guard holds back some of these; see above",
            "reconcile",
        ),
        (
            "pending",
            {Outcome.HELD, Outcome.WAITING},
            "A guard holds back some of these; see above how to allow them. Some of these wait",
            "reconcile --confirm-deletes",
        ),
        ("drifted", {Outcome.OBSERVED}, "Only observing, so nothing is written", None),
        ("gone", {Outcome.OBSERVED, Outcome.HELD}, "A guard holds back some of these; see above how", None),
        ("gone", {Outcome.WAITING}, "A second read, ", "reconcile --confirm-deletes"),
        (
            "gone",
            {Outcome.HELD, Outcome.WAITING},
            "A guard holds back some of these",
            "reconcile --confirm-deletes",
        ),
    ],
)
def test_the_next_pass_is_promised_only_for_what_nothing_holds_back(
    state: str, outcomes: set[Outcome], promises: str, command: str | None
) -> None:
    action, found = remedy(state, frozenset(outcomes))
    assert (action.startswith(promises), found) == (True, command), action
    if outcomes <= {Outcome.HELD, Outcome.WAITING, Outcome.OBSERVED} and state != "gone":
        assert "next pass" not in action


def test_advice_on_deletes_held_entirely_is_of_deletes() -> None:
    assert remedy("gone", frozenset({Outcome.HELD})) == (DELETES_HELD, None)
