"""`reconcile version`: the versions in use, for problem reports."""

import platform

import apsw
import msgspec

from engine import __version__
from engine.commandline.arguments.arguments import Arguments
from engine.commandline.exit_codes import OK
from engine.commandline.output import emit_json, emit_text
from engine.composition.kafka import kafka_versions
from engine.core.state.report import SCHEMA_VERSION


class Versions(msgspec.Struct, frozen=True):
    """The output of `version --json`."""

    schema_version: int
    reconcile: str
    python: str
    sqlite: str
    confluent_kafka: str | None  # Kafka's client and the library below it; null if not installed
    librdkafka: str | None


def run_version(arguments: Arguments) -> int:
    """Print the versions."""
    # Not from the installed metadata: the build takes it from here, and an editable install may have an older one.
    client, library = kafka_versions() or (None, None)
    versions = Versions(
        SCHEMA_VERSION, __version__, platform.python_version(), apsw.sqlite_lib_version(), client, library
    )
    if arguments.format == "json":
        emit_json(msgspec.json.encode(versions))
    else:
        kafka = f"{client} (librdkafka {library})" if client else "not installed"
        emit_text(
            f"reconcile {versions.reconcile}\npython {versions.python}\nsqlite {versions.sqlite}\nconfluent-kafka {kafka}\n"
        )
    return OK
