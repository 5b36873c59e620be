"""Log lines: one a person can read, one a program can, and never forty thousand for a first fill."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from engine.commandline.text.log_lines import (
    HeldLogLines,
    ReportLines,
    SourceLines,
    StatusLines,
    set_up_logging,
)
from engine.core.compare.diff import Cause
from engine.core.state.intervals import Freshness
from engine.core.state.report import ErrorReport, RefusalReport, Report, SourceReport
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import GuardName, SyncStatus
from tests.commandline.reports import changed, foreign, removed, replica, report


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def reported(*reports: Report, format_: str = "text") -> list[str]:
    stream = io.StringIO()
    lines = ReportLines(set_up_logging(stream, format_=format_, level="info"))
    for each in reports:
        lines.log(each)
    return [re.sub(r"^\S+Z ", "", line) for line in stream.getvalue().splitlines()]


def test_a_change_is_one_line() -> None:
    lamp = changed("Lamp", ("area_id", "kitchen", "dining"), outcome="applied")
    assert reported(report(lamp)) == [
        "info    change written replica=sqlite record=device/lamp name=Lamp action=upsert "
        'fields=\'area_id: "kitchen" -> "dining"\''
    ]


def test_drift_is_a_warning() -> None:
    lamp = changed("Lamp", ("name", "a", "b"), cause=Cause.DRIFT, outcome="applied")
    assert reported(report(lamp))[0].startswith("warning drift healed")


def test_a_record_for_programs_is_one_object() -> None:
    lamp = changed("Lamp", ("name", "a", "b"), outcome="applied")
    (line,) = reported(report(lamp), format_="json")
    decoded = json.loads(line)
    assert (decoded["level"], decoded["message"], decoded["record"]) == (
        "info",
        "change written",
        "device/lamp",
    )


def test_many_changes_are_reported_as_a_number() -> None:
    lines = reported(
        report(*(changed(f"Lamp {n}", ("name", "a", "b"), outcome="applied") for n in range(60)))
    )
    assert lines == ['info    many records replica=sqlite what="change written" count=60']


def test_a_refusal_and_an_error_include_the_next_step() -> None:
    refusal = RefusalReport(GuardName.RECOVERY_MODE, "It is in recovery mode.", "Repair it.", 3)
    error = ErrorReport("history", "The disk is full.", "Make room.", True)
    lines = reported(report(replicas=(replica("sqlite", refusals=(refusal,)),), errors=(error,)))
    assert lines[0].startswith("warning changes held back replica=sqlite guard=recovery_mode held=3")
    assert 'hint="Make room."' in lines[1]


def test_a_refusal_that_holds_nothing_yet_does_not_say_that_something_is_held() -> None:
    refusal = RefusalReport(GuardName.RECOVERY_MODE, "It is in recovery mode.", "Repair it.", 0)
    (line,) = reported(report(replicas=(replica("sqlite", refusals=(refusal,)),)))
    assert line.startswith("warning any change would be held back replica=sqlite guard=recovery_mode held=0")


def test_hostile_names_stay_on_their_line() -> None:
    lamp = changed("Lamp\n2026 error fake\x1b[31m", ("name", "a", "b"), outcome="applied")
    assert len(reported(report(lamp))) == 1
    assert "\x1b" not in reported(report(lamp))[0]


def test_nothing_is_reported_of_nothing() -> None:
    assert reported(report()) == []


def test_an_unchanged_finding_is_not_logged_at_each_pass() -> None:
    refusal = RefusalReport(GuardName.DELETE_RATIO, "Too many.", "Raise it.", 3)
    error = ErrorReport("sqlite", "The disk is full.", "Make room.", True)
    blocked = report(
        foreign("Sun"), replicas=(replica(status="blocked", refusals=(refusal,)),), errors=(error,)
    )
    lost = report(replicas=(replica(status="unknown"),), errors=(error,))
    more = report(foreign("Sun"), foreign("Moon"), replicas=(replica(status="out_of_sync"),))
    lines = reported(blocked, blocked, lost, blocked, more, report(replicas=(replica("sqlite"),)), more)
    assert [re.sub(r" action=.*| held=.*| reason=.*", "", line) for line in lines] == [
        "warning difference found replica=sqlite record=device/sun name=Sun",
        "warning changes held back replica=sqlite guard=delete_ratio",
        "error   pass failed subject=sqlite",
        "warning difference found replica=sqlite record=device/moon name=Moon",
        "info    changes no longer held back replica=sqlite guard=delete_ratio",
        "info    passes succeed again subject=sqlite",
        "warning difference found replica=sqlite record=device/sun name=Sun",
        "warning difference found replica=sqlite record=device/moon name=Moon",
    ]


def test_what_is_odd_about_a_source_is_logged_once_and_what_a_delete_waits_for() -> None:
    source = SourceReport("backup:b.tar", True, note="b.tar has no date.")
    waiting = removed("Old", outcome="waiting", waits_for_backup=True)
    lines = reported(*[report(waiting, source=source)] * 2)
    assert sum("note about the source" in line and "b.tar has no date." in line for line in lines) == 1
    assert sum("delete waits for a newer backup" in line for line in lines) == 1


def test_a_store_that_fails_in_two_passes_is_reported_once_and_again_after_recovery() -> None:
    full, away = (
        ErrorReport("sqlite", "The disk is full.", "", True),
        ErrorReport("influxdb", "Away.", "", True),
    )
    of_rows, of_records = (replica("sqlite", status="unknown"),), (replica("influxdb", status="unknown"),)
    lines = reported(
        report(replicas=of_rows, errors=(full,)),
        report(replicas=of_records, errors=(full, away)),
        report(replicas=of_records, errors=(away,)),  # it did not come so far as to need the rows file
        report(replicas=of_rows, errors=(full,)),
        report(replicas=of_rows),
        report(replicas=of_records),
    )
    assert lines == [
        'error   pass failed subject=sqlite reason="The disk is full." hint=""',
        'error   pass failed subject=influxdb reason=Away. hint=""',
        "info    passes succeed again subject=sqlite",
        "info    passes succeed again subject=influxdb",
    ]


def test_what_is_written_each_time_is_reported_each_time() -> None:
    lamp = changed("Lamp", ("name", "a", "b"), cause=Cause.DRIFT, outcome="applied")
    assert len(reported(report(lamp), report(lamp))) == 2


def test_a_change_of_status_is_reported_once_in_both_directions() -> None:
    stream = io.StringIO()
    lines = StatusLines(set_up_logging(stream, format_="text", level="info"), Freshness(1200.0, 60.0))
    source = SourceStatus("ws://home", connected=True)
    found = ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=100.0, compared_at=100.0)
    waiting = replace(found, pending=1, pending_since=161.0, synced_at=161.0)
    for now, known in (
        (100.0, ReplicaStatus("sqlite", SyncStatus.UNKNOWN)),
        (101.0, found),
        (102.0, found),
        (161.0, found),  # too old by then
        (162.0, found),
        (162.5, replace(found, synced_at=162.0)),
        (163.0, waiting),  # for a moment
        (167.0, waiting),
        (168.0, replace(found, status="blocked")),
    ):
        lines.log(Status("home", "0", 0.0, source, (known,)), now)
    assert [re.sub(r"^\S+Z ", "", line) for line in stream.getvalue().splitlines()] == [
        "info    status changed replica=sqlite status=in_sync before=unknown",
        'warning status changed replica=sqlite status=unknown before=in_sync reason="unknown: last proven equal too long ago"',
        "info    status changed replica=sqlite status=in_sync before=unknown",
        "warning status changed replica=sqlite status=out_of_sync before=in_sync",
        'warning status changed replica=sqlite status=blocked before=out_of_sync reason="a guard holds changes back"',
    ]


def test_a_reader_that_makes_a_log_grow_is_reported_once_and_so_is_its_end() -> None:
    stream = io.StringIO()
    lines = HeldLogLines(set_up_logging(stream, format_="text", level="info"))
    for held_bytes in (0, 4096, 5_000_000, 6_000_000, 100, 0, 0):
        lines.log("sqlite", held_bytes)
    first, last = stream.getvalue().splitlines()
    assert "log held by a reader replica=sqlite bytes=5000000" in first
    assert "fuser" in first
    assert "log no longer held by a reader" in last


def test_home_assistants_absence_is_reported_once_and_so_is_its_return() -> None:
    stream = io.StringIO()
    lines = SourceLines(set_up_logging(stream, format_="text", level="info"))
    there = SourceStatus("ws://home", connected=True, version="2026.11.0")
    away = SourceStatus("ws://home", connected=False, error="Connection refused.")
    for source in (there, there, away, away, there):
        lines.log(source)
    assert [re.sub(r"^\S+Z ", "", line) for line in stream.getvalue().splitlines()] == [
        "info    Home Assistant is followed source=ws://home version=2026.11.0",
        'warning Home Assistant is not followed source=ws://home reason="Connection refused."',
        "info    Home Assistant is followed source=ws://home version=2026.11.0",
    ]


@pytest.mark.parametrize("format_", ["text", "json"])
def test_an_uncaught_error_is_logged_as_one_line_with_its_type_and_place_only(format_: str) -> None:
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


def test_a_decoded_json_line_contains_no_terminal_control_characters() -> None:
    record = logging.LogRecord("reconcile", logging.INFO, "", 0, "read \x1b[2J", (), None)
    record.fields = {"name": "Lamp\x1b]0;owned\x07\x9b\u202e\n", "count": 3, "ok": True}
    stream = io.StringIO()
    logger = set_up_logging(stream, format_="json", level="info")
    logger.handle(record)
    line = json.loads(stream.getvalue())
    assert line["message"] == "read \\u001b[2J"
    assert line["name"] == "Lamp\\u001b]0;owned\\u0007\\u009b\\u202e\\u000a"
    assert (line["count"], line["ok"]) == (3, True)
