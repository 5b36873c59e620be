"""Which stores the settings name."""

import pytest

from engine.errors import SettingsError
from engine.settings.records import RecordsSettings
from engine.settings.sections import Settings
from engine.settings.stores import is_kafka, kafka_uri


def named(uri: str, kafka: str = "") -> str:
    return kafka_uri(Settings(records=RecordsSettings(uri=uri, kafka_uri=kafka)))


def test_a_kafka_stands_by_itself_or_beside_another_store() -> None:
    assert named("history:x.db") == ""
    assert named("none") == ""
    assert named("kafka://a/x") == "kafka://a/x"
    assert named("kafkas://a/x") == "kafkas://a/x"
    assert named("history:x.db", "kafka://a/x") == "kafka://a/x"
    assert is_kafka("kafkas://a")
    assert not is_kafka("influxdb://kafka:1/x")


def test_two_of_them_are_refused() -> None:
    with pytest.raises(SettingsError, match="both name a Kafka"):
        named("kafka://a/x", "kafka://b/x")
