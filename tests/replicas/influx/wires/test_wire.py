"""What both wires keep, against a peer that says what servers and proxies say on bad days."""

import threading
from collections.abc import Iterator

import pytest

from engine.errors import ReplicaError, ReplicaRejected
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.schema.points import FIELD_TYPES
from engine.replicas.influx.wires.failures import BatchRefused, BatchTooLarge, InfluxUnavailable
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.wire import Block, Scan, Wire
from engine.secret import Secret
from tests.fakes.influxdb import Reply, ScriptedPeer, scripted_peer

SCAN = Scan(measurements=("ha_device",), site="home", fields=("hash",))
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
LINE = b'{"results":[{"statement_id":0,"series":[{"name":"ha_device","columns":["time","id","hash"],"values":[[5,"d1","1:a"]]}]}]}\n'
TABLE = (
    b"#datatype,string,long,dateTime:RFC3339,string,string,string\r\n#group,false,false,false,false,false,false\r\n"
    b"#default,_result,,,,,\r\n,result,table,_time,_measurement,hash,id\r\n"
    b",,0,1970-01-01T00:00:00.000000005Z,ha_device,1:a,d1\r\n\r\n"
)


class Line:
    """A wire to the peer, and where it writes and reads."""

    def __init__(self, name: str, peer: ScriptedPeer) -> None:
        self.name = name
        self.peer = peer
        self.write_path, self.read_path, self.answer, self.media = {
            "v1": ("/write", "/query", LINE, "application/json"),
            "v2": ("/api/v2/write", "/api/v2/query", TABLE, "text/csv; charset=utf-8"),
        }[name]
        self.credentials = Credentials(token=Secret("s3cret-token"))
        self.wire: Wire = open_wire(peer.uri(name), self.credentials, timeout_seconds=5)

    def rows(self) -> list[Block]:
        return list(self.wire.scan(SCAN))


@pytest.fixture(params=["v1", "v2"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    with scripted_peer() as peer:
        made = Line(request.param, peer)
        yield made
        made.wire.close()
        made.wire.close()


def test_lines_arrive_as_they_are_with_nanoseconds_and_the_token(line: Line) -> None:
    line.wire.write(b"m,a=b f=1i 5\nm,a=c f=1i 6")
    [request] = line.peer.requests
    assert request.body == b"m,a=b f=1i 5\nm,a=c f=1i 6"
    assert request.target.startswith(line.write_path + "?")
    assert "precision=ns" in request.target
    assert "homes" in request.target
    assert request.headers["authorization"] == "Token s3cret-token"
    assert "s3cret" not in request.target


def test_rows_are_read(line: Line) -> None:
    line.peer.say(
        line.read_path, Reply(status=200, headers={"Content-Type": line.media}, chunks=(line.answer,))
    )
    assert line.rows() == [Block("ha_device", [[5, "d1", "1:a"]])]
    assert line.rows() == [Block("ha_device", [[5, "d1", "1:a"]])]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=200, headers=HTML, body=b"<html>please log in</html>"), ReplicaRejected),
        (Reply(status=200, headers=JSON, body=b"{}"), ReplicaRejected),
        (Reply(status=302, headers={"Location": "/login"}), ReplicaRejected),
        (Reply(status=400, headers=JSON, body=b'{"error":"partial write: x dropped=1"}'), BatchRefused),
        (
            Reply(status=422, headers=JSON, body=b'{"code":"u","message":"failure writing points"}'),
            BatchRefused,
        ),
        (Reply(status=413, headers=JSON, body=b'{"error":"too large"}'), BatchTooLarge),
        (
            Reply(status=401, headers=JSON, body=b'{"code":"unauthorized","message":"unauthorized"}'),
            ReplicaRejected,
        ),
        (Reply(status=404, headers=JSON, body=b'{"code":"x","message":"bucket not found"}'), ReplicaRejected),
        (Reply(status=429, headers={**JSON, "Retry-After": "3"}, body=b"{}"), InfluxUnavailable),
        (Reply(status=503, body=b"request throttled, queue full"), InfluxUnavailable),
        (Reply(status=502, headers=HTML, body=b"<html>\xff\xfe bad gateway</html>"), InfluxUnavailable),
        (Reply(status=500, headers=JSON, body=b'{"error":"timeout"}'), InfluxUnavailable),
        (Reply(is_silent=True), InfluxUnavailable),
        (Reply(status=400, headers=JSON, body=b'{"error":"par', is_cut=True), ReplicaError),
    ],
)
def test_only_a_204_is_a_stored_batch(line: Line, reply: Reply, kind: type[Exception]) -> None:
    line.peer.say(line.write_path, reply)
    with pytest.raises(kind) as caught:
        line.wire.write(b"m,a=b f=1i 5")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(caught.value)
    line.peer.say(line.write_path, Reply())
    line.wire.write(b"m,a=b f=1i 5")  # and the wire continues


def test_the_wish_to_wait_is_passed_on(line: Line) -> None:
    line.peer.say(line.write_path, Reply(status=429, headers={"Retry-After": "17"}, body=b"slow down"))
    with pytest.raises(InfluxUnavailable) as caught:
        line.wire.write(b"m,a=b f=1i 5")
    assert caught.value.retry_after_seconds == 17


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=200, headers=HTML, body=b"<html>please log in</html>"),
        Reply(status=302, headers={"Location": "/login"}),
        Reply(status=401, headers=JSON, body=b'{"code":"unauthorized","message":"unauthorized"}'),
        Reply(status=400, headers=JSON, body=b'{"code":"invalid","message":"queue length exceeded"}'),
        Reply(status=503, body=b"busy"),
        Reply(status=204),
        Reply(is_silent=True),
    ],
)
def test_an_answer_without_rows_is_never_an_empty_home(line: Line, reply: Reply) -> None:
    line.peer.say(line.read_path, reply)
    with pytest.raises(ReplicaError):
        line.rows()


@pytest.mark.parametrize("length", [0, 30, -30, -3])
def test_a_cut_answer_is_an_error_wherever_it_was_cut(line: Line, length: int) -> None:
    headers = {"Content-Type": line.media}
    for reply in (
        Reply(status=200, headers=headers, chunks=(line.answer, line.answer[:length] or b" "), is_cut=True),
        Reply(status=200, headers=headers, body=line.answer[:length], is_cut=True),
        Reply(status=200, headers=headers, body=line.answer, has_length=False),
    ):
        line.peer.say(line.read_path, reply)
        with pytest.raises(InfluxUnavailable, match="not complete"):
            line.rows()


def test_text_that_is_not_utf8_is_an_error(line: Line) -> None:
    broken = line.answer.replace(b"d1", b"\xff\xfe")
    line.peer.say(line.read_path, Reply(status=200, headers={"Content-Type": line.media}, body=broken))
    with pytest.raises(InfluxUnavailable, match="not complete"):
        line.rows()


def test_a_server_that_does_not_answer_ends_in_a_timeout(line: Line) -> None:
    wire = open_wire(line.peer.uri(line.name), line.credentials, timeout_seconds=0.05)
    line.peer.release = threading.Event()
    for attempt in (lambda: wire.write(b"m,a=b f=1i 5"), lambda: list(wire.scan(SCAN)), wire.probe):
        with pytest.raises(InfluxUnavailable, match="no answer in time"):
            attempt()
    wire.close()


def test_a_server_that_is_away_is_reported() -> None:
    with scripted_peer() as peer:
        uris = [peer.uri(wire) for wire in ("v1", "v2", "auto")]
    for uri in uris:
        wire = open_wire(uri, Credentials(), timeout_seconds=5)
        with pytest.raises(InfluxUnavailable, match="nothing listens there"):
            list(wire.scan(SCAN))
        with pytest.raises(InfluxUnavailable, match="nothing listens there"):
            wire.write(b"m f=1i 5")
        wire.close()


def test_tls_to_a_plain_server_names_the_other_scheme() -> None:
    with scripted_peer() as peer:
        for name in ("v1", "v2", "auto"):
            wire = open_wire(peer.uri(name, scheme="influxdbs"), Credentials(), timeout_seconds=5)
            with pytest.raises(ReplicaRejected, match="influxdb://"):
                wire.write(b"m f=1i 5")
            wire.close()


def test_secrets_do_not_print(line: Line) -> None:
    assert "s3cret" not in repr(line.credentials)
    assert (
        "s3cret" not in str(vars(line.wire)).replace(line.credentials.token.reveal(), "") or line.name == "v2"
    )


def test_a_scan_names_its_columns() -> None:
    scan = Scan(measurements=("ha_device",), tags=("id", "site"), fields=tuple(FIELD_TYPES))
    assert scan.columns == ("id", "site", *FIELD_TYPES)
