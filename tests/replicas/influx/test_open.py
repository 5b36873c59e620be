"""The wire for each server; opening connects to nothing."""

import pytest

from engine.errors import SettingsError
from engine.replicas.influx.open import choose_wire, open_influx, open_wire, random_slot
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.wires.failures import InfluxUnavailable
from engine.replicas.influx.wires.http import Credentials
from tests.fakes.influxdb import Reply, scripted_peer


@pytest.mark.parametrize(
    ("version", "org", "wire"),
    [
        ("1.6.7~rc0", "", "v1"),
        ("1.8.10", "org", "v1"),
        ("2.7.12", "org", "v2"),
        ("2.7.12", "", "v1"),
        ("3.10.1", "org", "v1"),
        ("", "org", "v2"),
        ("", "", "v1"),
    ],
)
def test_the_wire_fits_the_server(version: str, org: str, wire: str) -> None:
    chosen, note = choose_wire(version, org)
    assert chosen == wire
    assert f"wire {wire}" in note
    assert version in note


@pytest.mark.parametrize(("version", "path"), [("1.8.10", "/write"), ("v2.7.12", "/api/v2/write")])
def test_auto_detects_the_version_once(version: str, path: str) -> None:
    with scripted_peer() as peer:
        peer.say("/ping", Reply(headers={"X-Influxdb-Version": version}))
        wire = open_wire(peer.uri("auto"), Credentials(), timeout_seconds=5)
        assert wire.name == "auto"
        assert peer.requests == []
        wire.write(b"m f=1i 5")
        wire.write(b"m f=1i 6")
        wire.check_may_write()
        assert [r.target.partition("?")[0] for r in peer.requests] == ["/ping", path, path, path]
        assert version.removeprefix("v") in wire.probe().note
        wire.close()


def test_three_core_shows_its_version_in_the_body() -> None:
    with scripted_peer() as peer:
        peer.say("/ping", Reply(status=200, body=b'{"version":"3.10.1","process_id":"x"}'))
        wire = open_wire(peer.uri("auto"), Credentials(), timeout_seconds=5)
        assert wire.probe().version == "3.10.1"
        assert wire.name == "v1"
        wire.close()


def test_opening_connects_to_nothing() -> None:
    records = open_influx(
        "influxdb://127.0.0.1:1/homes",
        Credentials(),
        InfluxOptions(site="home"),
        outbox=None,
        clock=lambda: 0.0,
    )
    with pytest.raises(InfluxUnavailable, match="nothing listens"):
        records.observe()
    records.close()
    records.close()


def test_a_wrong_address_is_a_matter_of_settings() -> None:
    with pytest.raises(SettingsError):
        open_wire("influxdb://h", Credentials(), timeout_seconds=5)


def test_a_slot_is_one_of_a_thousand() -> None:
    assert 0 <= random_slot() < 1000
