"""The stores that the settings name, determined before their adapters are loaded."""

from engine.errors import SettingsError
from engine.settings.sections import Settings
from engine.settings.sites import FleetSettings


def is_kafka(uri: str) -> bool:
    """Whether an address names Kafka."""
    return uri.partition(":")[0] in ("kafka", "kafkas")


def kafka_uri(settings: Settings) -> str:
    """The Kafka that keeps the home, alone or beside another records store; empty: none. Raises SettingsError."""
    records = settings.records
    if not is_kafka(records.uri):
        return records.kafka_uri
    if records.kafka_uri:
        raise SettingsError(
            "records.uri and records.kafka_uri both name a Kafka, but a home is kept in only one.",
            "Name it in records.kafka_uri, and the store of earlier versions in records.uri.",
        )
    return records.uri


def kafka_setting(settings: Settings) -> str:
    """The setting that names that Kafka, for messages: for a home of a fleet, the fleet's. Raises SettingsError."""
    if settings.fleet.brokers and kafka_uri(settings) == fleet_uri(settings.fleet):
        return "fleet.brokers"
    return "records.uri" if is_kafka(settings.records.uri) else "records.kafka_uri"


def fleet_uri(fleet: FleetSettings) -> str:
    """The Kafka that keeps the homes of a fleet, as in records.kafka_uri; empty: there is no fleet. Raises SettingsError."""
    if not fleet.brokers:
        return ""
    scheme, found, rest = fleet.brokers.partition("://")
    hosts, _, query = (rest if found else fleet.brokers).partition("?")
    if "/" in hosts or "@" in hosts:
        raise SettingsError(
            "Setting fleet.brokers names more than brokers.",
            "Write HOST:9092,HOST:9092; the topics' prefix is fleet.prefix, and a user records.username.",
        )
    return f"{scheme if found else 'kafka'}://{hosts}/{fleet.prefix}{'?' if query else ''}{query}"
