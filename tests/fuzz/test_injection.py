"""Names are data: none becomes a statement, a second point, a second log line, or an instruction to a terminal."""

import io
import logging
import re
import unicodedata
from pathlib import Path

import anyio
import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.commandline.text.log_lines import ReportLines, set_up_logging
from engine.commandline.text.plan import PlanText, render_plan
from engine.commandline.text.safe_text import visible
from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.records.record_json import encode_record
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.replicas.influx.schema.points import Point, encode_point, id_of
from engine.replicas.influx.wires.flux import flux_params, flux_text
from engine.replicas.influx.wires.influxql import identifier as _identifier
from engine.replicas.influx.wires.influxql import select_text
from engine.replicas.influx.wires.wire import Scan
from engine.replicas.rows.replica import open_rows
from tests.availability import IS_LONG
from tests.examples import unless_fast
from tests.fakes.influxdb import parse_line
from tests.fakes.world import MemorySource
from tests.homes import ENTRY, NOON, device, entity, snapshot

EVIL = (
    "'); DROP TABLE devices; --",
    '"; DROP MEASUREMENT ha_device; --',
    'x",deleted=true,op="delete" 1\nha_device,site=home,id=y hash="-"',
    "${bucket}",
    "\\",
    "\\\n",
    "a\r\n2026-11-23T12:00:00.000Z error   forged line=1",
    '{"time":"2026","level":"error","message":"forged"}\n',
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "\u2028\u2029\x85\x0b\x0c",
    "\0",
    "%s %(message)s {0}",
    "=1+1",
)
NAMES = st.sampled_from(EVIL) | st.text(max_size=30)
QUICK = settings(
    max_examples=unless_fast(100 if IS_LONG else 16, fast=4),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
# As many as Python's splitlines knows: what any reader of a log might take for an end of line.
_LINE_ENDS = re.compile("[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")


def home_of(name: str, mark: int = 0) -> Snapshot:
    return snapshot(
        ENTRY,
        device(1, name=name, area_id=name or None, labels=(name,), extra={name or "k": name}),
        entity(
            1, entity_id=f"sensor.{name}", unique_id=name, options={name: {name: name}}, name=f"{name}{mark}"
        ),
    )


async def mirror(path: Path, name: str, mark: int = 0) -> Report:
    rows = open_rows(path)
    try:
        options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), f"r{mark}", "home")
        source = MemorySource(home_of(name, mark))
        return await Reconciler(source, [rows], rows, lambda: NOON + mark, lambda *_: None).run(options)
    finally:
        rows.close()


@QUICK
@given(NAMES)
def test_names_are_rows_and_not_sql(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("sql") / "rows.db"
    report = anyio.run(mirror, path, name)
    assert (report.errors, report.replicas[0].status) == ((), "in_sync")
    with apsw.Connection(str(path)) as connection:
        assert connection.execute("SELECT name, labels FROM devices").fetchall() == [
            (name, msgspec.json.encode([name]).decode())
        ]
        tables = {t for (t,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert {"devices", "entities", "reconcile_changes"} <= tables
    assert anyio.run(mirror, path, name).replicas[0].status == "in_sync"


@QUICK
@given(NAMES.filter(bool), NAMES)
def test_a_record_is_one_point_under_any_name(id_: str, name: str) -> None:
    payload = encode_record(device(1, id=id_, name=name))
    line = encode_point("home", name, Point(Key("device", id_), 5, "create", 1, "1:ab", payload))
    assert b"\n" not in line
    measurement, tags, fields, time_ns = parse_line(line)
    assert (measurement, tags["site"], id_of(tags["id"]), time_ns) == ("ha_device", "home", id_, 5)
    assert (fields["deleted"], fields["hash"], fields["op"]) == (False, "1:ab", "create")
    assert fields["payload"] == payload.decode()


@QUICK
@given(NAMES)
def test_a_query_holds_no_name(name: str) -> None:
    scan = Scan(measurements=("ha_device",), site=name, fields=("hash",), ids=(name,))
    plain = Scan(measurements=("ha_device",), site="x", fields=("hash",), ids=("x",))
    assert flux_text(scan) == flux_text(plain)
    assert flux_params(name, scan)["id0"] == name
    assert select_text(scan)[0] == select_text(plain)[0]
    # Databases and policies can only be quoted: nothing in them ends the quotes.
    inner = _identifier(name)[1:-1]
    assert re.fullmatch(r'(?:[^"\\\n]|\\.)*', inner, re.DOTALL)


@QUICK
@given(NAMES)
def test_a_name_forges_no_log_line(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("log") / "rows.db"
    anyio.run(mirror, path, name)
    report = anyio.run(mirror, path, name, 1)
    assert len(report.records) == 1
    for format_ in ("text", "json"):
        reported = logged(report, format_)
        assert reported.endswith("\n")
        assert not _LINE_ENDS.search(reported[:-1]), "one record is one line"
        if format_ == "json":
            assert msgspec.json.decode(reported)["message"] == "change written"
        else:
            assert all(is_harmless(c) for c in reported[:-1])
            assert re.match(r"\S+Z info    change written replica=sqlite record=", reported)


@QUICK
@given(NAMES)
def test_a_name_is_shown_and_never_obeyed(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("plan") / "rows.db"
    report = anyio.run(mirror, path, name)
    other = anyio.run(mirror, tmp_path_factory.mktemp("plan") / "rows.db", "name")
    reported, ordinary = (render_plan(r, PlanText(is_full=True)) for r in (report, other))
    assert reported.count("\n") == ordinary.count("\n")
    assert all(is_harmless(c) for c in reported.replace("\n", ""))


@given(st.text())
def test_what_is_shown_is_one_harmless_line(text: str) -> None:
    assert all(is_harmless(c) for c in visible(text))


def logged(report: Report, format_: str) -> str:
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    try:
        ReportLines(set_up_logging(stream, format_=format_, level="debug")).log(report)
    finally:
        root.handlers[:], root.level = before
    return stream.getvalue()


def is_harmless(character: str) -> bool:
    """Shown by a terminal; the joiners of Persian words and composed emoji move nothing."""
    return (
        unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        or character in "\u200c\u200d"
    )
