"""The address of a bucket: accepted and refused forms; no secret is repeated."""

import pytest

from engine.errors import SettingsError
from engine.replicas.influx.wires.address import Address, parse_address


@pytest.mark.parametrize(
    ("uri", "address", "url", "text"),
    [
        (
            "influxdb://influx:8086/homes?org=me&wire=v2",
            Address("influx", 8086, "homes", "me", "v2"),
            "http://influx:8086",
            "influxdb://influx:8086/homes",
        ),
        (
            "influxdbs://influx/db/keep%20long?wire=v1",
            Address("influx", 8086, "db/keep long", "", "v1", tls=True),
            "https://influx:8086",
            "influxdbs://influx:8086/db/keep%20long",
        ),
        ("influxdb://[::1]:9/b", Address("::1", 9, "b"), "http://[::1]:9", "influxdb://[::1]:9/b"),
    ],
)
def test_an_address_is_read(uri: str, address: Address, url: str, text: str) -> None:
    found = parse_address(uri)
    assert (found, found.url, str(found)) == (address, url, text)


def test_wire_v1_reads_the_bucket_as_database_and_policy() -> None:
    address = parse_address("influxdb://h/db/rp")
    assert (address.database, address.retention_policy) == ("db", "rp")
    assert parse_address("influxdb://h/db").retention_policy == ""


@pytest.mark.parametrize(
    ("uri", "reported"),
    [
        ("influxdb://h", "names no InfluxDB bucket"),
        ("influxdb:///bucket", "names no InfluxDB bucket"),
        ("influxdb://h:x/b", "not an address"),
        ("influxdb://h:99999/b", "not an address"),
        ("influxdb://h/b?wire=v3", "unknown wire"),
        ("influxdb://h/b?token=s3cret", "unknown option token"),
        ("influxdb://user:s3cret@h/b", "records.password_file"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_a_secret(uri: str, reported: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_address(uri)
    assert reported in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["influxdb://a..b/homes", "influxdb://h/\udcff", "influxdb://" + "x" * 300 + "/b"]
)
def test_an_invalid_host_or_invalid_utf_8_is_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match="cannot be read") as reported:
        parse_address(uri)
    assert reported.value.__cause__ is None


def test_a_token_in_the_wrong_place_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as reported:
        parse_address("influxdb://host?token=s3cret")
    assert "s3cret" not in str(reported.value)
