"""Wire v1 against a scripted peer: statements, and answers that do not prove their end."""

from collections.abc import Iterator

import msgspec
import pytest

from engine.errors import ReplicaRejected
from engine.replicas.influx.wires import v1
from engine.replicas.influx.wires.address import parse_address
from engine.replicas.influx.wires.bounds import lines_of as _lines
from engine.replicas.influx.wires.failures import InfluxUnavailable
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.influxql import seconds_of as _seconds
from engine.replicas.influx.wires.influxql import select_text
from engine.replicas.influx.wires.v1 import WireV1
from engine.replicas.influx.wires.wire import Scan
from tests.fakes.influxdb import Reply, ScriptedPeer, scripted_peer
from tests.homes import NOON

SCAN = Scan(measurements=("ha_device",), site="home", fields=("hash",))
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def peer() -> Iterator[ScriptedPeer]:
    with scripted_peer() as made:
        yield made


@pytest.fixture
def wire(peer: ScriptedPeer) -> Iterator[WireV1]:
    address = parse_address(f"influxdb://127.0.0.1:{peer.port}/homes/long")
    made = WireV1(address, Credentials(), timeout_seconds=5)
    yield made
    made.close()


def result(text: str) -> bytes:
    return f'{{"results":[{text}]}}\n'.encode()


def test_values_are_bound_and_names_quoted() -> None:
    scan = Scan(
        measurements=("ha_area", 'we"ird'),
        site="home",
        fields=("hash", "rev", "x"),
        ids=("a'; DROP", "b"),
        start_ns=5,
    )
    text, params = select_text(scan)
    assert text == (
        'SELECT "id"::tag, "hash"::string, "rev"::integer, "x" FROM "ha_area", "we\\"ird" WHERE time >= 5'
        ' AND "site" = $site AND ("id" = $id0 OR "id" = $id1)'
    )
    assert params == {"site": "home", "id0": "a'; DROP", "id1": "b"}


def test_a_text_to_be_found_is_bound() -> None:
    scan = Scan(measurements=("ha_entity",), fields=("entity_id",), equals="a' OR 1")
    text, params = select_text(scan)
    assert text.endswith('FROM "ha_entity" WHERE time >= 0 AND "entity_id" = $equals')
    assert params == {"equals": "a' OR 1"}


def test_influxdb_3_is_scanned_in_slices_once_its_version_is_known(peer: ScriptedPeer) -> None:
    address = parse_address(f"influxdb://127.0.0.1:{peer.port}/homes")
    wire = WireV1(address, Credentials(), timeout_seconds=5, clock=lambda: NOON)
    peer.say("/ping", Reply(status=200, headers={"X-Influxdb-Version": "3.10.1"}))
    rows = result('{"series":[{"name":"ha_device","columns":["time","id","hash"],"values":[[1,"d","h"]]}]}')
    peer.say("/query", *(Reply(status=200, headers=JSON, body=rows) for _ in range(14)))
    assert len(list(wire.scan(SCAN))) == 1
    wire.probe()
    assert len(list(wire.scan(SCAN))) == 12
    assert len(list(wire.scan(msgspec.structs.replace(SCAN, newest_max=1)))) == 1
    wire.close()


def test_newest_markers_come_first() -> None:
    scan = Scan(measurements=("ha_run",), tags=(), fields=("state", "window_s"), stop_ns=9, newest_max=2)
    text, _ = select_text(scan)
    assert text == (
        'SELECT "state"::string, "window_s"::integer FROM "ha_run" WHERE time >= 0 AND time < 9 ORDER BY time DESC LIMIT 2'
    )


@pytest.mark.parametrize(
    "lines",
    [
        (result('{"statement_id":0,"partial":true}'),),
        (result('{"statement_id":0,"series":[{"name":"m","columns":["time"],"values":[],"partial":true}]}'),),
        (b"",),
        (b"\n\n",),
        (b'{"results":[]}\n',),
        (b"{}\n",),
        (b"<html>login</html>",),
        (b"no json",),
    ],
)
def test_an_answer_that_does_not_prove_its_end_is_an_error(
    peer: ScriptedPeer, wire: WireV1, lines: tuple[bytes, ...]
) -> None:
    peer.say("/query", Reply(status=200, headers=JSON, body=b"".join(lines)))
    with pytest.raises((InfluxUnavailable, ReplicaRejected), match=r"not complete|web page"):
        list(wire.scan(SCAN))


def test_an_error_after_rows_is_an_error(peer: ScriptedPeer, wire: WireV1) -> None:
    rows = '{"series":[{"name":"ha_device","columns":["time","id","hash"],"values":[[1,"a","b"]]}],"partial":true}'
    failed = '{"error":"query-timeout limit exceeded"}'
    peer.say("/query", Reply(status=200, headers=JSON, body=result(rows) + result(failed)))
    blocks = wire.scan(SCAN)
    assert next(blocks).rows == [[1, "a", "b"]]
    with pytest.raises(InfluxUnavailable, match="query-timeout"):
        list(blocks)


def test_nothing_there_is_an_empty_result(peer: ScriptedPeer, wire: WireV1) -> None:
    peer.say("/query", Reply(status=200, headers=JSON, body=result('{"statement_id":0}')))
    assert list(wire.scan(SCAN)) == []


def test_the_retention_of_the_named_policy_is_found(peer: ScriptedPeer, wire: WireV1) -> None:
    policies = '{"series":[{"columns":["name","duration","default"],"values":[["autogen","0s",true],["long","720h0m0s",false]]}]}'
    peer.say("/query", Reply(status=200, headers=JSON, body=result(policies)))
    assert wire.retention_seconds() == 30 * 86_400
    peer.say("/query", Reply(status=200, headers=JSON, body=result('{"statement_id":0}')))
    assert wire.retention_seconds() is None


def test_a_server_without_retention_policies_does_not_report(peer: ScriptedPeer, wire: WireV1) -> None:
    body = result('{"error":"This feature is not implemented: SHOW RETENTION POLICIES"}')
    peer.say("/query", Reply(status=200, headers=JSON, body=body))
    assert wire.retention_seconds() is None
    peer.say("/query", Reply(status=200, headers=JSON, body=result('{"error":"database not found: homes"}')))
    with pytest.raises(ReplicaRejected, match="Create"):
        wire.retention_seconds()


def test_database_and_policy_are_named_in_every_write(peer: ScriptedPeer, wire: WireV1) -> None:
    wire.write(b"m f=1i 5")
    wire.check_may_write()
    assert {r.target for r in peer.requests} == {"/write?db=homes&precision=ns&rp=long"}
    assert peer.requests[1].body.startswith(b"#")


@pytest.mark.parametrize(
    ("reply", "started"),
    [
        (Reply(status=200, body=b'{"system":{"started":"2026-11-23T12:00:00Z"}}'), "2026-11-23T12:00:00Z"),
        (Reply(status=200, body=b"no json"), None),
        (Reply(status=404, body=b"404 page not found"), None),
    ],
)
def test_the_time_of_start_is_reported_or_not(
    peer: ScriptedPeer, wire: WireV1, reply: Reply, started: str | None
) -> None:
    peer.say("/debug/vars", reply)
    assert wire.started() == started


def test_the_time_of_start_of_a_2_x_server_is_reported_as_well(peer: ScriptedPeer, wire: WireV1) -> None:
    """So that a restart is followed by a verification, which `started` asks for."""
    peer.say("/debug/vars", Reply(status=200, headers={"Content-Type": "text/html"}, body=b"<html>UI</html>"))
    peer.say(
        "/ready", Reply(status=200, body=b'{"status":"ready","started":"2026-11-29T02:00:00Z","up":"1h"}')
    )
    assert wire.started() == "2026-11-29T02:00:00Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("168h0m0s", 604_800),
        ("1h30m5s", 5_405),
        ("", None),
        ("soon", None),
        ("5", None),
        ("1w", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert _seconds(text) == seconds


def test_lines_are_found_wherever_pieces_end() -> None:
    text = b"one\ntwo\n\nthree"
    for size in range(1, len(text) + 1):
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        assert list(_lines(pieces, 100)) == [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    "row",
    [
        "[1]",
        "[]",
        '["x", "d1", "h"]',
        '[null, "d1", "h"]',
        '[1, 2, "h"]',
        '[1, ["d1"], "h"]',
        '[1, "d1", {}]',
        '[1.5, "d1", "h"]',
        "[" * 100_000,
    ],
)
def test_rows_of_another_form_are_a_read_that_failed(peer: ScriptedPeer, wire: WireV1, row: str) -> None:
    body = result(f'{{"series": [{{"name": "ha_device", "values": [{row}]}}]}}')
    peer.say("/query", Reply(status=200, headers=JSON, body=body))
    with pytest.raises(InfluxUnavailable):
        list(wire.scan(SCAN))


def test_rows_of_another_measurement_are_a_read_that_failed(peer: ScriptedPeer, wire: WireV1) -> None:
    text = b'{"results": [{"series": [{"name": "cpu", "values": [[1, "d1", "h"]]}]}]}'
    peer.say("/query", Reply(status=200, headers=JSON, body=text))
    with pytest.raises(InfluxUnavailable, match="'cpu', which were not requested"):
        list(wire.scan(SCAN))


def test_a_line_without_end_is_not_kept(
    peer: ScriptedPeer, wire: WireV1, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v1, "_LINE_BYTES_MAX", 100)
    peer.say("/query", Reply(status=200, headers=JSON, body=b"x" * 1000))
    with pytest.raises(InfluxUnavailable, match="longer than 100 bytes"):
        list(wire.scan(SCAN))


def test_victoriametrics_is_no_influxdb(peer: ScriptedPeer, wire: WireV1) -> None:
    text = '{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["_internal"]]}]}'
    peer.say("/query", Reply(status=200, headers=JSON, body=result(text)))
    with pytest.raises(ReplicaRejected, match="VictoriaMetrics"):
        list(wire.scan(SCAN))


def test_a_write_only_database_is_distinguished_from_a_missing_one(peer: ScriptedPeer, wire: WireV1) -> None:
    missing = result('{"statement_id":0,"error":"database not found: homes"}')
    peer.say("/query", Reply(status=200, headers=JSON, body=missing))
    with pytest.raises(ReplicaRejected, match=r"may be written to.*read the bucket too"):
        list(wire.scan(SCAN))
    peer.say("/write", Reply(status=404, headers=JSON, body=b'{"error":"database not found: homes"}'))
    with pytest.raises(ReplicaRejected, match="Create the bucket"):
        list(wire.scan(SCAN))


def test_an_empty_body_that_is_refused_as_such_may_be_written(peer: ScriptedPeer, wire: WireV1) -> None:
    """As InfluxDB 3 does it."""
    peer.say("/write", Reply(status=400, headers=JSON, body=b'{"error":"incoming write was empty"}'))
    wire.check_may_write()


def test_types_are_reported_by_measurement_and_field(peer: ScriptedPeer, wire: WireV1) -> None:
    text = (
        '{"statement_id":0,"series":[{"name":"ha_area","columns":["fieldKey","fieldType"],'
        '"values":[["hash","float"],["hash","string"],["rev","integer"]]}]}'
    )
    peer.say("/query", Reply(status=200, headers=JSON, body=result(text)))
    assert wire.field_types(("ha_area",)) == {
        ("ha_area", "hash"): {"float", "string"},
        ("ha_area", "rev"): {"integer"},
    }
