"""`reconcile store`: copy the SQLite file while it is in use, and restore it."""

from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import OK, REFUSED
from engine.commandline.output import emit_json, emit_text, print_error
from engine.commandline.text.safe_text import visible
from engine.commandline.verbs.show import check_rows_file
from engine.composition.run import restore_store, snapshot_store
from engine.core.counts import plural
from engine.core.state.report import SCHEMA_VERSION
from engine.errors import StoreHeld
from engine.settings.sections import LoadedSettings


class StoreAnswer(msgspec.Struct, frozen=True):
    """The output of `store --json`. `kept` is the file with the content that a restore replaced, if any."""

    schema_version: int
    rows: str
    snapshot: str
    records: int
    as_applied: int  # how many of them are exactly what the engine last wrote
    kept: str | None


def run_store(arguments: Arguments) -> int:
    """Make a snapshot or restore it. Raises EngineError; then nothing was changed."""
    loaded = load(arguments)
    if arguments.store_command == "restore":
        return _restore(arguments, loaded)
    return _snapshot(arguments, loaded)


def _snapshot(arguments: Arguments, loaded: LoadedSettings) -> int:
    rows, target = Path(loaded.settings.rows.file), Path(arguments.file)
    check_rows_file(loaded)
    if target.exists() and target.samefile(rows):
        print_error(f"{target} is the SQLite file itself.", "Name another file.")
        return REFUSED
    if target.exists() and not arguments.force:
        print_error(f"{target} already exists.", "Name another file, or replace it with --force.")
        return REFUSED
    found = snapshot_store(loaded, target)
    answer = StoreAnswer(SCHEMA_VERSION, str(rows), str(target), found.records, found.as_applied, None)
    _report(arguments, answer, f"Snapshot of {rows} in {target}: {_records(answer)}.\n")
    return OK


def _restore(arguments: Arguments, loaded: LoadedSettings) -> int:
    rows, source = Path(loaded.settings.rows.file), Path(arguments.file)
    try:
        restored = restore_store(loaded, source)
    except StoreHeld as held:
        print_error(held.message, "Stop it, restore, and start it again.")
        return REFUSED
    kept = None if restored.kept is None else str(restored.kept)
    found = restored.content
    answer = StoreAnswer(SCHEMA_VERSION, str(rows), str(source), found.records, found.as_applied, kept)
    lines = f"Restored {rows} from {source}: {_records(answer)}.\n"
    if kept:
        lines += f"Its previous content is in {kept}.\n"
    _report(arguments, answer, f"{lines}The next pass brings it up to date if it is of this home.\n")
    return OK


def _records(answer: StoreAnswer) -> str:
    others = answer.records - answer.as_applied
    return f"{plural(answer.records, 'record')}, {f'{others} of them not' if others else 'all'} as the engine wrote them"


def _report(arguments: Arguments, answer: StoreAnswer, text: str) -> None:
    if arguments.format == "json":
        emit_json(msgspec.json.encode(answer))
    elif not arguments.quiet:
        emit_text("".join(f"{visible(line, 2000)}\n" for line in text.splitlines()))
