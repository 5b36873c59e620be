"""Which stores the settings name."""

import pytest

from engine.errors import SettingsError
from engine.settings.records import RecordsSettings
from engine.settings.sections import Settings
from engine.settings.sites import FleetSettings
from engine.settings.stores import fleet_uri, is_kafka, kafka_setting, kafka_uri


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


@pytest.mark.parametrize(
    ("records", "fleet", "setting"),
    [
        (RecordsSettings("kafka://a/x"), FleetSettings(), "records.uri"),
        (RecordsSettings("none", "kafka://a/x"), FleetSettings(), "records.kafka_uri"),
        (RecordsSettings("none", "kafka://a/reconcile"), FleetSettings("a"), "fleet.brokers"),
        (RecordsSettings("none", "kafka://b/x"), FleetSettings("a"), "records.kafka_uri"),
    ],
)
def test_the_setting_that_names_it_is_known(
    records: RecordsSettings, fleet: FleetSettings, setting: str
) -> None:
    assert kafka_setting(Settings(records=records, fleet=fleet)) == setting


@pytest.mark.parametrize(
    ("brokers", "uri"),
    [
        ("", ""),
        ("one:9092,two:9092", "kafka://one:9092,two:9092/homes"),
        ("one?partitions=12&replicas=1", "kafka://one/homes?partitions=12&replicas=1"),
        ("kafkas://one:9093?sasl=PLAIN", "kafkas://one:9093/homes?sasl=PLAIN"),
    ],
)
def test_the_homes_of_a_fleet_are_kept_in_its_kafka(brokers: str, uri: str) -> None:
    assert fleet_uri(FleetSettings(brokers, "homes")) == uri


@pytest.mark.parametrize("brokers", ["kafka://one:9092/prefix", "one/prefix", "user:word@one:9092"])
def test_what_is_more_than_brokers_is_refused_and_not_repeated(brokers: str) -> None:
    with pytest.raises(SettingsError, match=r"fleet\.brokers") as refused:
        fleet_uri(FleetSettings(brokers))
    assert "word" not in str(refused.value)
