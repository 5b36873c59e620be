"""Wire v2 against a scripted peer: parameters, retention, permissions."""

import gzip
from collections.abc import Iterator

import msgspec
import pytest

from engine.errors import ReplicaRejected
from engine.replicas.influx.wires import v2
from engine.replicas.influx.wires.address import parse_address
from engine.replicas.influx.wires.failures import InfluxUnavailable
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.v2 import WireV2
from engine.replicas.influx.wires.wire import Scan
from engine.secret import Secret
from tests.fakes.influxdb import Reply, ScriptedPeer, scripted_peer

SCAN = Scan(measurements=("ha_device",), site="home", fields=("hash", "rev"), ids=("${x}",))
CSV = {"Content-Type": "text/csv; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def peer() -> Iterator[ScriptedPeer]:
    with scripted_peer() as made:
        yield made


def wire_of(peer: ScriptedPeer, credentials: Credentials) -> WireV2:
    return WireV2(parse_address(peer.uri("v2")), credentials, timeout_seconds=5)


@pytest.fixture
def wire(peer: ScriptedPeer) -> Iterator[WireV2]:
    made = wire_of(peer, Credentials(token=Secret("abc")))
    yield made
    made.close()


def test_the_query_carries_its_values_before_it(peer: ScriptedPeer, wire: WireV2) -> None:
    peer.say("/api/v2/query", Reply(status=200, headers=CSV, body=b"\r\n"))
    assert list(wire.scan(SCAN)) == []
    [request] = peer.requests
    sent = msgspec.json.decode(request.body)
    assert sent["query"].splitlines()[:6] == [
        'bucket = "homes"',
        "start = 0",
        "stop = 4102444800000000000",
        'site = "home"',
        r'id0 = "\x24\x7bx\x7d"',
        "from(bucket: bucket)",
    ]
    assert not sent["extern"]["body"]  # which 1.8 does not know
    assert sent["dialect"]["annotations"] == ["datatype", "group", "default"]
    assert request.headers["accept-encoding"] == "gzip"


def test_a_long_body_is_packed(peer: ScriptedPeer, wire: WireV2) -> None:
    line = b'm f="' + b"x" * 5_000 + b'" 5'
    wire.write(line)
    [request] = peer.requests
    assert request.headers["content-encoding"] == "gzip"
    assert len(request.body) < 200
    assert gzip.decompress(request.body) == line


def test_a_field_of_half_a_megabyte_is_read(peer: ScriptedPeer, wire: WireV2) -> None:
    payload = "x" * 500_000
    text = (
        "#datatype,string,long,dateTime:RFC3339,string,string,string\r\n#group,false,false,false,false,false,false\r\n"
        "#default,_result,,,,,\r\n,result,table,_time,_measurement,id,payload\r\n"
        f",,0,1970-01-01T00:00:00.000000005Z,ha_device,d1,{payload}\r\n"
    )
    peer.say("/api/v2/query", Reply(status=200, headers=CSV, body=text.encode()))
    scan = Scan(measurements=("ha_device",), fields=("payload",))
    assert [rows for _, rows in wire.scan(scan)] == [[[5, "d1", payload]]]


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (
            Reply(
                status=200, body=b'{"buckets":[{"name":"homes","retentionRules":[{"everySeconds":604800}]}]}'
            ),
            604_800,
        ),
        (Reply(status=200, body=b'{"buckets":[{"name":"homes","retentionRules":[]}]}'), 0),
        (Reply(status=200, body=b'{"buckets":[]}'), None),
        (Reply(status=403, body=b"{}"), None),
        (Reply(status=404, body=b"404 page not found"), None),
    ],
)
def test_the_retention_is_reported_or_not(
    peer: ScriptedPeer, wire: WireV2, reply: Reply, seconds: int | None
) -> None:
    peer.say("/api/v2/buckets", reply)
    assert wire.retention_seconds() == seconds


def test_a_login_page_is_no_retention(peer: ScriptedPeer, wire: WireV2) -> None:
    peer.say("/api/v2/buckets", Reply(status=200, body=b"<html>login</html>"))
    with pytest.raises(ReplicaRejected, match="web page"):
        wire.retention_seconds()


@pytest.mark.parametrize(
    ("status", "is_allowed"), [(204, True), (400, True), (401, False), (403, False), (404, False)]
)
def test_the_write_permission_is_checked_without_writing(
    peer: ScriptedPeer, wire: WireV2, status: int, is_allowed: bool
) -> None:
    peer.say("/api/v2/write", Reply(status=status, headers=JSON, body=b"" if status == 204 else b"{}"))
    if is_allowed:
        wire.check_may_write()
    else:
        with pytest.raises(ReplicaRejected):
            wire.check_may_write()
    assert peer.requests[0].body.startswith(b"#")


def test_the_time_of_start_is_reported_by_2x(peer: ScriptedPeer, wire: WireV2) -> None:
    peer.say(
        "/ready", Reply(status=200, body=b'{"status":"ready","started":"2026-11-23T14:12:16Z","up":"4m"}')
    )
    assert wire.started() == "2026-11-23T14:12:16Z"


def test_an_empty_range_is_not_asked_for(peer: ScriptedPeer, wire: WireV2) -> None:
    assert list(wire.scan(msgspec.structs.replace(SCAN, start_ns=9, stop_ns=9))) == []
    assert peer.requests == []


def test_the_time_of_start_is_read_from_the_metrics(peer: ScriptedPeer, wire: WireV2) -> None:
    peer.say("/ready", Reply(status=404, body=b"404 page not found"))
    peer.say("/metrics", Reply(status=200, body=b"# HELP x\nprocess_start_time_seconds 1.7e+09\nother 5\n"))
    assert wire.started() == "1.7e+09"
    peer.say("/metrics", Reply(status=404, body=b"no"))
    assert wire.started() is None


def test_the_server_of_2x_is_recognised(peer: ScriptedPeer, wire: WireV2) -> None:
    headers = {"X-Influxdb-Version": "v2.7.12", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}
    peer.say("/ping", Reply(headers=headers))
    server = wire.probe()
    assert (server.version, server.at) == ("2.7.12", 1_795_435_200)


def test_a_user_and_password_are_given_as_1_8_takes_them(peer: ScriptedPeer) -> None:
    wire = wire_of(peer, Credentials(username="me", password=Secret("pw")))
    wire.write(b"m f=1i 5")
    wire.close()
    assert peer.requests[0].headers["authorization"] == "Token me:pw"


def test_a_line_without_end_is_not_kept(
    peer: ScriptedPeer, wire: WireV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v2, "_LINE_CHARACTERS_MAX", 100)
    # Packed, as a bomb would be: the client unpacks what it streams.
    headers = {**CSV, "Content-Encoding": "gzip"}
    peer.say("/api/v2/query", Reply(status=200, headers=headers, body=gzip.compress(bytes(10_000_000))))
    with pytest.raises(InfluxUnavailable, match="longer than 100 characters"):
        list(wire.scan(SCAN))


def test_an_organization_may_be_named_by_its_id(peer: ScriptedPeer) -> None:
    body = b'{"buckets":[{"name":"homes","retentionRules":[{"everySeconds":604800}]}]}'
    peer.say("/api/v2/buckets", Reply(status=200, body=body))
    address = msgspec.structs.replace(parse_address(peer.uri("v2")), org="1f4d1062bc67c3c9")
    wire = WireV2(address, Credentials(), timeout_seconds=5)
    assert wire.retention_seconds() == 604_800
    wire.close()
    assert "orgID=1f4d1062bc67c3c9" in peer.requests[0].target


def test_a_missing_organization_is_looked_up(peer: ScriptedPeer) -> None:
    body = b'{"code":"not found","message":"organization name \\"-\\" not found"}'
    peer.say("/api/v2/query", Reply(status=400, headers=JSON, body=body))
    peer.say("/api/v2/write", Reply(status=404, headers=JSON, body=body))
    wire = WireV2(
        msgspec.structs.replace(parse_address(peer.uri("v2")), org=""), Credentials(), timeout_seconds=5
    )
    for attempt in (lambda: list(wire.scan(SCAN)), lambda: wire.write(b"m f=1i 5"), wire.check_may_write):
        with pytest.raises(ReplicaRejected, match=r"names none.*org=ORG"):
            attempt()
    wire.close()


def test_an_unreadable_bucket_is_distinguished_from_a_missing_one_by_a_write_check(
    peer: ScriptedPeer,
) -> None:
    body = b'{"code":"not found","message":"could not find bucket"}'
    peer.say("/api/v2/query", Reply(status=404, headers=JSON, body=body))
    for bucket, reported in (("homes", "read the bucket too"), ("f5c8351ef0b27b24", "bucket's name")):
        address = msgspec.structs.replace(parse_address(peer.uri("v2")), bucket=bucket)
        wire = WireV2(address, Credentials(), timeout_seconds=5)
        with pytest.raises(ReplicaRejected, match=reported):
            list(wire.scan(SCAN))
        wire.close()


def test_the_retention_of_1_8_is_read_with_influxql(peer: ScriptedPeer, wire: WireV2) -> None:
    peer.say("/api/v2/buckets", Reply(status=404, body=b"404 page not found"))
    text = b'{"results":[{"series":[{"columns":["name","duration","default"],"values":[["a","168h0m0s",true]]}]}]}'
    peer.say("/query", Reply(status=200, headers=JSON, body=text))
    assert wire.retention_seconds() == 604_800
