"""The InfluxDB 2 client's own connections have answers that end, too."""

from collections.abc import Iterator

import pytest

from engine.replicas.influx.wires import bounds
from engine.replicas.influx.wires.address import parse_address
from engine.replicas.influx.wires.failures import InfluxUnavailable
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.v1 import WireV1
from engine.replicas.influx.wires.v2 import WireV2
from engine.replicas.influx.wires.wire import Scan, Wire
from engine.secret import Secret
from tests.fakes.influxdb import Reply, ScriptedPeer, scripted_peer

SCAN = Scan(measurements=("ha_device",), site="home", fields=("hash", "rev"))


@pytest.fixture
def peer() -> Iterator[ScriptedPeer]:
    with scripted_peer() as made:
        yield made


@pytest.mark.parametrize(
    ("kind", "path", "headers"),
    [(WireV1, "/query", {}), (WireV2, "/api/v2/query", {"Content-Type": "text/csv"})],
    ids=["v1", "v2"],
)
def test_a_scan_without_end_is_given_up_on_either_wire(
    peer: ScriptedPeer,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[WireV1] | type[WireV2],
    path: str,
    headers: dict[str, str],
) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES_MAX", 100_000)  # more than arrives at once
    peer.say(path, Reply(status=200, headers=headers, chunks=(b"\n" * 1_000,) * 1_000))
    wire: Wire = kind(parse_address(peer.uri(kind.name)), Credentials(token=Secret("x")), timeout_seconds=5)
    with pytest.raises(InfluxUnavailable, match="longer than 100000 bytes"):
        list(wire.scan(SCAN))
    wire.close()
