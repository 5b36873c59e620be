"""A verdict in sentences."""

from engine.commandline.text.verdict import verdict_lines
from engine.core.compare.diff import Cause
from engine.core.state.record_states import State
from engine.core.state.record_verdict import Differs, RecordVerdict
from engine.core.times import Instant
from tests.homes import NOON


def test_a_verdict_shows_its_time_reasons_fields_and_next_step() -> None:
    verdict = RecordVerdict(
        State.DRIFTED,
        Cause.DRIFT,
        Instant(NOON),
        ("Another program changed it in sqlite", "an odd \x1b[2J reason"),
        (Differs("sqlite", "name", "Lamp", None),),
        "Will be written with the next pass.",
        "reconcile",
    )
    assert verdict_lines(verdict) == [
        "  Drifted since 2026-11-23T12:00:00.000Z: Another program changed it in sqlite.",
        "  An odd \\u001b[2J reason.",
        '    name: Home Assistant "Lamp", sqlite none',
        "  Will be written with the next pass. To do it: reconcile",
    ]


def test_without_reasons_and_command_it_is_short() -> None:
    verdict = RecordVerdict(State.REAL, None, None, (), (), "Nothing is to be done.", None)
    assert verdict_lines(verdict) == ["  Real.", "  Nothing is to be done."]
