"""What the design answers to a newcomer's first questions is where it says: the files are there, and have what is named in them."""

import re

from tests.walks.copied_program import ROOT

ENGINE = ROOT / "engine"


def answers() -> dict[str, str]:
    """Where something is, by the question."""
    text = (ENGINE / "DESIGN.md").read_text(encoding="utf-8")
    table = text.partition("Where is what:")[2].partition("\n\n**")[0]
    return dict(re.findall(r"(?m)^\| (where [^|]+\?) \| (.+) \|$", table))


def test_the_questions_of_a_newcomer_are_answered() -> None:
    asked = " ".join(answers())
    for topic in (
        "websocket message",
        "delete refused",
        "row's columns",
        "status word",
        "metric declared",
        "past read",
    ):
        assert topic in asked


def test_each_file_that_answers_is_there() -> None:
    for question, answer in answers().items():
        files = re.findall(r"`([\w./]+\.py)`", answer)
        assert files, question
        assert [name for name in files if not (ENGINE / name).exists()] == [], question


def test_what_is_named_behind_a_file_is_in_it() -> None:
    named = [
        found for answer in answers().values() for found in re.findall(r"`([\w./]+\.py)` \(`(\w+)`\)", answer)
    ]
    assert len(named) >= 2
    for name, function in named:
        assert f"def {function}(" in (ENGINE / name).read_text(encoding="utf-8"), (name, function)
