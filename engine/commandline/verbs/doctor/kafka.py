"""What `reconcile doctor` says of Kafka, where a home is kept in one."""

from collections.abc import Iterator

import msgspec

from engine.commandline.verbs.doctor.check import Check
from engine.errors import EngineError
from engine.settings.sections import LoadedSettings
from engine.settings.stores import kafka_uri

_WORDS = {"ok": "ok", "warning": "warn", "failed": "fail"}


def without_kafka(loaded: LoadedSettings) -> LoadedSettings:
    """The same without the Kafka beside the records store, which is a check of its own."""
    records = msgspec.structs.replace(loaded.settings.records, kafka_uri="")
    return msgspec.structs.replace(loaded, settings=msgspec.structs.replace(loaded.settings, records=records))


def check_kafka(loaded: LoadedSettings) -> Iterator[Check]:
    """What the cluster says of itself and of the topics; nothing where no Kafka is set."""
    try:
        if not kafka_uri(loaded.settings):
            return
        from engine.composition.kafka import examine_topics

        for found in examine_topics(loaded):
            yield Check(f"kafka {found.name}", _WORDS[found.status], found.found, found.advice)
    except EngineError as error:
        yield Check("kafka", "fail", error.message, error.hint)
