"""A server that points elsewhere gets a refusal, and elsewhere gets nothing: no token, no inventory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest

from engine.errors import ReplicaRejected, SourceInvalid
from engine.replicas.influx.wires.address import parse_address
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.v1 import WireV1
from engine.replicas.influx.wires.v2 import WireV2
from engine.replicas.influx.wires.wire import Scan
from engine.secret import Secret
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.influxdb import ScriptedPeer, scripted_peer
from tests.sources.recorded_homes import quiet

SCAN = Scan(measurements=("ha_device",), fields=("hash",))
STATUSES = (301, 302, 303, 307, 308)


@contextmanager
def redirecting(status: int, location: str) -> Iterator[int]:
    """A server that answers every request with a redirect; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def elsewhere() -> Iterator[ScriptedPeer]:
    with scripted_peer() as peer:
        yield peer


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("wire_type", [WireV1, WireV2])
def test_influxdb_is_not_followed(
    elsewhere: ScriptedPeer, status: int, wire_type: type[WireV1] | type[WireV2]
) -> None:
    with redirecting(status, f"http://localhost:{elsewhere.port}/api/v2/write?org=evil") as port:
        address = parse_address(f"influxdb://127.0.0.1:{port}/homes?org=o")
        wire = wire_type(address, Credentials(Secret("s3cret")), timeout_seconds=60)
        for attempt in (lambda: wire.write(b"ha_device a=1"), lambda: list(wire.scan(SCAN)), wire.probe):
            with pytest.raises(ReplicaRejected, match=str(status)):
                attempt()
        wire.close()
    assert elsewhere.requests == []


@pytest.mark.parametrize("status", STATUSES)
def test_home_assistant_is_not_followed(elsewhere: ScriptedPeer, status: int) -> None:
    with redirecting(status, f"ws://localhost:{elsewhere.port}/api/websocket?token=s3cret") as port:
        source = WebsocketSource(f"ws://127.0.0.1:{port}", "s3cret-token", timeout_seconds=60)
        with pytest.raises(SourceInvalid, match="points to") as reported:
            anyio.run(source.read, quiet)
    assert elsewhere.requests == []
    assert "s3cret" not in str(reported.value)
