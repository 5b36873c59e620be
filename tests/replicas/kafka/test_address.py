"""Addresses of topics, as people write them."""

import pytest

from engine.errors import SettingsError
from engine.replicas.kafka.address import KafkaAddress, parse_address


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("kafka://broker", KafkaAddress(("broker:9092",))),
        ("kafka://a:1,b:2/homes", KafkaAddress(("a:1", "b:2"), "homes")),
        ("kafkas://a, b/my.homes_1-x/", None),
        ("kafkas://a,b/my.homes_1-x", KafkaAddress(("a:9092", "b:9092"), "my.homes_1-x", tls=True)),
        ("kafka://[::1]:9093/x", KafkaAddress(("[::1]:9093",), "x")),
        (
            "kafka://a/x?partitions=3&replicas=1&sasl=PLAIN",
            KafkaAddress(("a:9092",), "x", partitions=3, replicas=1, sasl="PLAIN"),
        ),
    ],
)
def test_an_address_is_brokers_a_prefix_and_how_topics_are_made(
    uri: str, address: KafkaAddress | None
) -> None:
    if address is None:
        with pytest.raises(SettingsError, match="prefix"):
            parse_address(uri)
    else:
        assert parse_address(uri) == address


@pytest.mark.parametrize(
    ("uri", "reported"),
    [
        ("kafka:", "names no Kafka broker"),
        ("kafka:///homes", "names no Kafka broker"),
        ("kafka://a:99999/x", "not HOST:PORT"),
        ("kafka://a:b/x", "not HOST:PORT"),
        ("kafka://a b/x", "not HOST:PORT"),
        ("kafka://user:secret@a/x", "user name or password"),
        ("kafka://a/x/y", "prefix"),
        ("kafka://a/caf%C3%A9", "prefix"),
        (f"kafka://a/{'x' * 201}", "prefix"),
        ("kafka://a/x?password=secret", "unknown option password"),
        ("kafka://a/x?sasl=GSSAPI", "unknown SASL"),
        ("kafka://a/x?partitions=0", "partitions"),
        ("kafka://a/x?partitions=-1", "partitions"),
        ("kafka://a/x?partitions=1e3", "partitions"),
        (f"kafka://a/x?partitions={'9' * 5000}", "partitions"),
        ("kafka://a/x?replicas=", "replicas"),
        ("kafka://a/x?replicas=33", "replicas"),
    ],
)
def test_what_is_no_address_is_refused_and_no_secret_repeated(uri: str, reported: str) -> None:
    with pytest.raises(SettingsError, match=reported) as refused:
        parse_address(uri)
    assert "secret" not in str(refused.value)


def test_an_address_is_shown_as_it_is_written() -> None:
    assert str(parse_address("kafkas://a,b:1/x?replicas=1")) == "kafkas://a:9092,b:1/x"
