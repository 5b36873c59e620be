"""The checks of `reconcile doctor` for a home kept in Kafka."""

from collections.abc import Iterator

import msgspec

from engine.commandline.verbs.doctor.check import Check
from engine.errors import EngineError
from engine.settings.sections import LoadedSettings
from engine.settings.stores import kafka_uri

_WORDS = {"ok": "ok", "warning": "warn", "failed": "fail"}


def without_kafka(loaded: LoadedSettings) -> LoadedSettings:
    """The settings without the Kafka beside the records store, which has its own check."""
    records = msgspec.structs.replace(loaded.settings.records, kafka_uri="")
    return msgspec.structs.replace(loaded, settings=msgspec.structs.replace(loaded.settings, records=records))


def check_kafka(loaded: LoadedSettings) -> Iterator[Check]:
    """The findings about the cluster and the topics; nothing if no Kafka is configured."""
    try:
        if not kafka_uri(loaded.settings):
            return
        from engine.composition.kafka import examine_topics

        for found in examine_topics(loaded):
            yield Check(f"kafka {found.name}", _WORDS[found.status], found.found, found.advice)
    except EngineError as error:
        yield Check("kafka", "fail", error.message, error.hint)
