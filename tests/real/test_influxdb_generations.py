"""What the two generations of InfluxDB 1.x and their two wires have in common, seen on real servers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ReplicaRejected
from engine.replicas.influx.doctor import check_server
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.wire import Scan, Wire
from tests.real.influxdb import InfluxServer, influxdb_or_skip


@pytest.fixture(params=["1 v1", "1.8 v1", "1.8 v2"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[InfluxServer, Wire]]:
    version, name = request.param.split()
    with influxdb_or_skip(tmp_path / "server", version=version) as server:
        wire = open_wire(server.uri if name == "v1" else server.flux_uri, Credentials(), timeout_seconds=60)
        yield server, wire
        wire.close()


def test_a_value_of_another_type_is_found_and_named(place: tuple[InfluxServer, Wire]) -> None:
    _, wire = place
    wire.write(b'ha_entity,site=home,id=a hash="1:a",rev=1i 5')
    wire.write(f"ha_entity,site=other,id=x hash=1.5 {int((time.time() - 60) * 1e9)}".encode())
    checks = check_server(wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
    found = {check.name: check for check in checks}["types"]
    assert "ha_entity.hash is float instead of string, last at site=other, id=x" in found.found


def test_the_retention_is_known(place: tuple[InfluxServer, Wire]) -> None:
    server, wire = place
    assert wire.retention_seconds() == 0
    server.query('ALTER RETENTION POLICY "autogen" ON "homes" DURATION 30d')
    assert wire.retention_seconds() == 30 * 86_400


def test_answers_and_lines_are_packed_on_the_way(place: tuple[InfluxServer, Wire]) -> None:
    _, wire = place
    lines = [f'ha_area,site=home,id=a{n} hash="1:{"x" * 200}",payload="{{}}" {n + 5}' for n in range(2_000)]
    wire.write("\n".join(lines).encode())
    scan = Scan(measurements=("ha_area",), site="home", fields=("hash", "payload"))
    assert sum(len(rows) for _, rows in wire.scan(scan)) == 2_000


def test_flux_that_is_switched_off_is_reported(tmp_path: Path) -> None:
    with influxdb_or_skip(tmp_path / "server", version="1.8") as server:
        server.configure("flux-enabled = true", "flux-enabled = false")
        wire = open_wire(server.flux_uri, Credentials(), timeout_seconds=60)
        with pytest.raises(ReplicaRejected, match="flux-enabled = true"):
            list(wire.scan(Scan(measurements=("ha_run",), fields=("run",))))
        wire.close()
