"""What the doctor finds in a good and in a bad InfluxDB."""

import pytest

from engine.errors import ReplicaRejected
from engine.replicas.influx.doctor import InfluxCheck, check_server
from engine.replicas.influx.wires.failures import InfluxUnavailable
from engine.replicas.influx.wires.wire import Scan, Server
from tests.fakes.influxdb import MemoryWire
from tests.homes import NOON

DAY = 86_400


def examined(wire: MemoryWire, now: float = NOON) -> dict[str, InfluxCheck]:
    checks = check_server(wire, site="home", refresh_wanted_seconds=5 * DAY, clock=lambda: now)
    return {check.name: check for check in checks}


@pytest.fixture
def wire() -> MemoryWire:
    return MemoryWire(lambda: NOON)


def test_all_is_well_and_nothing_is_written(wire: MemoryWire) -> None:
    checks = examined(wire)
    assert list(checks) == ["server", "read", "write", "retention", "clock", "types", "future points"]
    assert {c.status for c in checks.values()} == {"ok"}
    assert checks["server"].found == "InfluxDB 1.6.7 over wire v1"
    assert checks["retention"].found == "points are kept forever; every record is renewed within 5 days"
    assert wire.bodies == []


def test_a_server_that_is_away_ends_the_examination(wire: MemoryWire) -> None:
    def probe() -> Server:
        raise InfluxUnavailable("nothing listens there.", "Start InfluxDB.")

    wire.probe = probe  # type: ignore[method-assign]  # a server that is away
    assert check_server(wire, site="home", refresh_wanted_seconds=DAY, clock=lambda: NOON) == (
        InfluxCheck("server", "failed", "nothing listens there.", "Start InfluxDB."),
    )


def test_reading_and_writing_are_distinguished(wire: MemoryWire) -> None:
    def refuse(_body: bytes) -> None:
        raise ReplicaRejected("influxdb", "403", "Grant it.")

    wire.before_write = refuse
    checks = examined(wire)
    assert (checks["read"].status, checks["write"].status) == ("ok", "failed")
    assert (checks["write"].found, checks["write"].advice) == ("403", "Grant it.")


def test_a_bucket_that_cannot_be_read_is_reported_once(wire: MemoryWire) -> None:
    def scan(_scan: Scan) -> None:
        raise ReplicaRejected("influxdb", "403", "Grant it.")

    wire.scan = scan  # type: ignore[assignment,method-assign]  # a user that may only write
    checks = examined(wire)
    assert (checks["read"].status, checks["write"].status) == ("failed", "ok")
    assert "future points" not in checks


@pytest.mark.parametrize(
    ("retention", "status", "reported"),
    [
        (7 * DAY, "ok", "kept 7 days; every record is renewed within 3.5 days"),
        (3600, "failed", "1 hour only"),
        (None, "warning", "does not report"),
    ],
)
def test_retention_is_held_against_the_refresh(
    wire: MemoryWire, retention: int | None, status: str, reported: str
) -> None:
    wire.retention = retention
    check = examined(wire)["retention"]
    assert check.status == status
    assert reported in check.found


@pytest.mark.parametrize(
    ("skew", "status", "reported"),
    [
        (0, "ok", "less than 2 seconds"),
        (59, "ok", "59 seconds"),
        (-61, "failed", "61 seconds"),
        (3600, "failed", "3600 seconds"),
    ],
)
def test_clocks_are_compared(wire: MemoryWire, skew: float, status: str, reported: str) -> None:
    check = examined(wire, NOON + skew)["clock"]
    assert check.status == status
    assert reported in check.found


def test_points_of_the_future_are_counted(wire: MemoryWire) -> None:
    wire.store(f'ha_device,site=home,id=a hash="1:x" {int((NOON + 400) * 1e9)}'.encode())
    check = examined(wire)["future points"]
    assert (check.status, check.found) == ("warning", "1 point is dated more than 5 minutes ahead")


def test_a_value_of_another_type_is_named(wire: MemoryWire) -> None:
    wire.store(b'ha_entity,site=home,id=a hash="1:a",rev=1i 5\nha_entity,site=other,id=x hash=1.5,note=2i 6')
    checks = examined(wire)
    assert checks["types"].status == "warning"
    assert checks["types"].found == (
        "another program wrote values of another type: ha_entity.hash is float instead of string, "
        "last at site=other, id=x"
    )


def test_ours_and_fields_that_are_not_ours_are_well(wire: MemoryWire) -> None:
    wire.store(b'ha_entity,site=home,id=a hash="1:a",rev=1i,note=2.5 5')
    assert examined(wire)["types"].found == "every field has the type it should have"
