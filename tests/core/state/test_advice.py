"""Every guard there is has advice, and every command in it can be run."""

import re
from pathlib import Path

import pytest

from engine.commandline.arguments.parser import parse
from engine.core.state.advice import GUARDS, KINDS, Advice, command_for
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
    assert command_for("gone", Outcome.FAILED) == "reconcile doctor"
    assert command_for("gone", Outcome.HELD) == "reconcile --confirm-deletes"
    assert command_for("foreign", None) == "reconcile --prune-foreign"
