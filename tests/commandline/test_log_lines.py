"""Log lines: one a person can read, one a program can, and never forty thousand for a first fill."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from engine.commandline.log_lines import SourceLines, log_report, set_up_logging
from engine.core.diff import Cause
from engine.core.report import ErrorReport, RefusalReport
from engine.core.status import SourceStatus
from tests.commandline.reports import changed, replica, report


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def told(*arguments: object, format_: str = "text") -> list[str]:
    stream = io.StringIO()
    log_report(set_up_logging(stream, format_=format_, level="info"), *arguments)  # type: ignore[arg-type]
    return [re.sub(r"^\S+Z ", "", line) for line in stream.getvalue().splitlines()]


def test_a_change_is_one_line() -> None:
    lamp = changed("Lamp", ("area_id", "kitchen", "dining"), outcome="applied")
    assert told(report(lamp)) == [
        "info    change written replica=sqlite record=device/lamp name=Lamp action=upsert "
        'fields=\'area_id: "kitchen" -> "dining"\''
    ]


def test_drift_is_a_warning() -> None:
    lamp = changed("Lamp", ("name", "a", "b"), cause=Cause.DRIFT, outcome="applied")
    assert told(report(lamp))[0].startswith("warning drift healed")


def test_a_record_for_programs_is_one_object() -> None:
    lamp = changed("Lamp", ("name", "a", "b"), outcome="applied")
    (line,) = told(report(lamp), format_="json")
    decoded = json.loads(line)
    assert (decoded["level"], decoded["message"], decoded["record"]) == (
        "info",
        "change written",
        "device/lamp",
    )


def test_many_changes_are_told_as_a_number() -> None:
    lines = told(report(*(changed(f"Lamp {n}", ("name", "a", "b"), outcome="applied") for n in range(60))))
    assert lines == ['info    many records replica=sqlite what="change written" count=60']


def test_a_refusal_and_an_error_say_what_to_do() -> None:
    refusal = RefusalReport("recovery_mode", "It is in recovery mode.", "Repair it.", 3)
    error = ErrorReport("history", "The disk is full.", "Make room.", True)
    lines = told(report(replicas=(replica("sqlite", refusals=(refusal,)),), errors=(error,)))
    assert lines[0].startswith("warning changes held back replica=sqlite guard=recovery_mode held=3")
    assert 'hint="Make room."' in lines[1]


def test_hostile_names_stay_on_their_line() -> None:
    lamp = changed("Lamp\n2026 error fake\x1b[31m", ("name", "a", "b"), outcome="applied")
    assert len(told(report(lamp))) == 1
    assert "\x1b" not in told(report(lamp))[0]


def test_nothing_is_told_of_nothing() -> None:
    assert told(report()) == []


def test_home_assistants_absence_is_told_once_and_so_is_its_return() -> None:
    stream = io.StringIO()
    lines = SourceLines(set_up_logging(stream, format_="text", level="info"))
    there = SourceStatus("ws://home", connected=True, version="2026.11.0")
    away = SourceStatus("ws://home", connected=False, error="Connection refused.")
    for source in (there, there, away, away, there):
        lines.tell(source)
    assert [re.sub(r"^\S+Z ", "", line) for line in stream.getvalue().splitlines()] == [
        "info    Home Assistant is followed source=ws://home version=2026.11.0",
        'warning Home Assistant is not followed source=ws://home reason="Connection refused."',
        "info    Home Assistant is followed source=ws://home version=2026.11.0",
    ]


@pytest.mark.parametrize("format_", ["text", "json"])
def test_an_error_that_escaped_is_one_line_with_its_kind_and_place_and_not_its_text(format_: str) -> None:
    stream = io.StringIO()
    logger = set_up_logging(stream, format_=format_, level="info")
    try:
        dict[str, str]()["s3cret\nforged line"]
    except KeyError:
        logger.exception("Exception in ASGI application")
    [line] = stream.getvalue().splitlines()
    assert "KeyError" in line
    assert "test_log_lines.py:" in line
    assert "s3cret" not in line
