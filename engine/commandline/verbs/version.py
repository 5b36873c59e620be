"""`reconcile version`: what is running, for a report of a problem."""

import platform

import apsw
import msgspec

from engine import __version__
from engine.commandline.arguments.arguments import Arguments
from engine.commandline.exit_codes import OK
from engine.commandline.output import emit_json, emit_text
from engine.core.state.report import SCHEMA_VERSION


class Versions(msgspec.Struct, frozen=True):
    """What `version --json` prints."""

    schema_version: int
    reconcile: str
    python: str
    sqlite: str


def run_version(arguments: Arguments) -> int:
    """Print the versions."""
    # Not from the installed metadata: the build reads it from here, and an editable install may be older.
    versions = Versions(SCHEMA_VERSION, __version__, platform.python_version(), apsw.sqlite_lib_version())
    if arguments.format == "json":
        emit_json(msgspec.json.encode(versions))
    else:
        emit_text(f"reconcile {versions.reconcile}\npython {versions.python}\nsqlite {versions.sqlite}\n")
    return OK
