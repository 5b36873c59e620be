"""Which stores the settings name, asked before anything of them is loaded."""

from engine.errors import SettingsError
from engine.settings.sections import Settings


def is_kafka(uri: str) -> bool:
    """Whether an address names Kafka."""
    return uri.partition(":")[0] in ("kafka", "kafkas")


def kafka_uri(settings: Settings) -> str:
    """The Kafka that the home is kept in, by itself or beside another records store; empty: none. Raises SettingsError."""
    records = settings.records
    if not is_kafka(records.uri):
        return records.kafka_uri
    if records.kafka_uri:
        raise SettingsError(
            "records.uri and records.kafka_uri both name a Kafka, and a home is kept in one.",
            "Name it in records.kafka_uri, and the store of earlier versions in records.uri.",
        )
    return records.uri
