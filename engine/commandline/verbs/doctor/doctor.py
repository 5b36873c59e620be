"""`reconcile doctor`: check everything a pass needs, and report each fault and what to change.

Writes nothing: the stores are opened as private copies.
"""

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import FAILED, OK
from engine.commandline.interruption import Interruption
from engine.commandline.output import emit_json, emit_text
from engine.commandline.text.colour import Paint, choose_paint
from engine.commandline.text.progress import ProgressLine
from engine.commandline.text.record_lines import plural
from engine.commandline.text.safe_text import visible, without_secrets
from engine.commandline.verbs.doctor.check import Check
from engine.commandline.verbs.doctor.fleet import check_fleet
from engine.commandline.verbs.doctor.home import (
    check_clock,
    check_rows_of_source,
    check_state,
    check_unread,
)
from engine.commandline.verbs.doctor.kafka import check_kafka, without_kafka
from engine.commandline.verbs.doctor.now import check_now
from engine.commandline.verbs.history_growth import look_at_size
from engine.composition.source_names import RECORDS_URI
from engine.composition.sources import needs_event_loop, open_source
from engine.composition.stores import is_influx, open_stores
from engine.core.state.report import SCHEMA_VERSION
from engine.errors import EngineError
from engine.files.causes import cause_of, find_number
from engine.settings.records import RecordsSettings
from engine.settings.sections import LoadedSettings
from engine.settings.stores import is_kafka
from engine.settings.text import FILE_SCHEMES

_FREE_BYTES_WARN = 64 * 1024 * 1024
_LOG_BYTES_WARN = 32 * 1024 * 1024  # the service moves more than this into the file at once
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


class Findings(msgspec.Struct, frozen=True):
    """The output of `doctor --json`."""

    schema_version: int
    checks: tuple[Check, ...]


def run_doctor(arguments: Arguments, stop: Interruption) -> int:
    """Run all checks and print them. Returns the exit code: failed if any check failed."""
    checks = tuple(_checks(arguments, stop))
    if arguments.format == "json":
        emit_json(msgspec.json.encode(Findings(SCHEMA_VERSION, checks)))
    else:
        shown = [c for c in checks if c.status != "ok" or not arguments.quiet]
        emit_text(render_checks(shown, choose_paint(arguments.color, os.environ)))
    return FAILED if any(c.status == "fail" for c in checks) else OK


def render_checks(checks: list[Check], paint: Paint) -> str:
    """One line per check, and one for its hint."""
    lines = []
    for check in checks:
        lines.append(
            f"{paint(_COLOURS[check.status], f'{check.status:<4}')} {check.name}: {_safe(check.message)}"
        )
        if check.hint:
            lines.append(f"     {_safe(check.hint)}")
    return "".join(f"{line}\n" for line in lines)


def _safe(text: str) -> str:
    return visible(without_secrets(text), 500)


def _checks(arguments: Arguments, stop: Interruption) -> Iterator[Check]:
    try:
        loaded = load(arguments)
    except EngineError as error:
        yield _failed("settings", error)
        return
    files = sorted({o for o in loaded.origins.values() if o not in ("environment", "flag")})
    yield Check("settings", "ok", f"valid; from {', '.join(files) or 'no file'}, the environment and flags")
    yield check_token(loaded)
    yield from _check_source(arguments, loaded, stop)
    yield from check_rows(loaded)
    if is_influx(loaded.settings.records.uri):
        yield from check_influx(loaded)
    elif not is_kafka(loaded.settings.records.uri):
        yield check_records(loaded)
        if size := look_at_size(loaded):
            yield Check("history", "ok" if size.is_well else "warn", size.message, size.hint)
    yield from check_kafka(loaded)
    yield from check_fleet(loaded)
    if Path(loaded.settings.rows.file).exists():
        yield from check_now(arguments, loaded, stop)


def needs_token(source_uri: str) -> bool:
    """Whether a source needs a token, as a running Home Assistant does."""
    return source_uri.partition(":")[0] not in (*FILE_SCHEMES, "records")


def check_token(loaded: LoadedSettings) -> Check:
    """Whether there is a token if the source needs one, and who can read it."""
    scheme = loaded.settings.source.uri.partition(":")[0]
    key_file = loaded.settings.source.backup_key_file
    if scheme == "backup" and key_file and _is_open_to_others(key_file):
        return Check("token", "warn", f"others can read {key_file}", f"chmod 600 {key_file}")
    if not loaded.token:
        if not needs_token(loaded.settings.source.uri):
            return Check("token", "ok", f"not needed for {scheme}:")
        return Check(
            "token",
            "fail",
            "none is given",
            "Name a file that holds a long-lived access token in source.token_file, or set RECONCILE_SOURCE__TOKEN.",
        )
    file = loaded.settings.source.token_file
    if file and _is_open_to_others(file):
        return Check("token", "warn", f"others can read {file}", f"chmod 600 {file}")
    return Check("token", "ok", f"from {loaded.secret_origins['source.token']}")


def _is_open_to_others(file: str) -> bool:
    return bool(Path(file).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _check_source(arguments: Arguments, loaded: LoadedSettings, stop: Interruption) -> Iterator[Check]:
    try:
        if loaded.settings.source.uri == RECORDS_URI:
            yield Check("source", "ok", "the records replica; Home Assistant is not asked")
            return
        source = open_source(loaded)
        with ProgressLine(sys.stderr, quiet=arguments.quiet, verbose=arguments.verbose) as progress:
            run = stop.run if needs_event_loop(loaded.settings) else stop.run_alone
            snapshot = run(partial(source.read, progress))
    except EngineError as error:
        yield _failed("source", error)
        return
    summary = plural(len(snapshot.home.records), "record")
    version = snapshot.reading.health.ha_version
    yield Check(
        "source",
        "ok",
        f"{source.origin} was read: Home Assistant {version or '(version unknown)'}, {summary}",
    )
    yield from check_unread(snapshot)
    if snapshot.home.set_aside:
        yield check_rows_of_source(snapshot)
    yield check_state(snapshot)
    yield check_clock(snapshot, time.time())


def check_rows(loaded: LoadedSettings) -> Iterator[Check]:
    """Whether the rows file is readable, writable, of a known schema, and has room to grow."""
    path = Path(loaded.settings.rows.file)
    alone = msgspec.structs.replace(loaded.settings, records=RecordsSettings("none"))
    try:
        with open_stores(msgspec.structs.replace(loaded, settings=alone), private_copy=True) as stores:
            rows = len(stores.rows.observe().versions)
    except EngineError as error:
        yield _failed("rows", error)
    else:
        is_there = path.exists()
        summary = f"{path}: {plural(rows, 'row')}, journal mode {_journal_mode(path)}" if is_there else None
        yield Check("rows", "ok", summary or f"{path} does not exist yet; the first pass makes it")
    yield from check_log(path)
    yield check_place("rows file", path)


def check_log(path: Path) -> Iterator[Check]:
    """Whether SQLite's log beside the file has grown, as it does during long reads by another program."""
    log = Path(f"{os.path.realpath(path)}-wal")
    size = log.stat().st_size if log.is_file() else 0
    if size > _LOG_BYTES_WARN:
        yield Check(
            "rows log",
            "warn",
            f"{log} holds {size // 2**20} MiB: a program that reads does not end its transaction",
            f"Find it with `fuser -v {path}`; the running service empties the log when it is gone.",
        )


def check_records(loaded: LoadedSettings) -> Check:
    """Whether the records store can be opened and read."""
    uri = loaded.settings.records.uri
    try:
        with open_stores(without_kafka(loaded), private_copy=True) as stores:
            if stores.records is None:
                return Check("records", "ok", "none is set; `reconcile history` has nothing to show")
            held = len(stores.records.observe().versions)
    except EngineError as error:
        return _failed("records", error)
    path = Path(uri.partition(":")[2])
    found = plural(held, "record") if path.exists() else "does not exist yet; the first pass makes it"
    place = check_place("records", path)
    return Check("records", "ok", f"{uri}: {found}") if place.status == "ok" else place


def check_influx(loaded: LoadedSettings) -> Iterator[Check]:
    """The findings about InfluxDB: version, wire, permissions, retention, clock."""
    from engine.composition.influx import check_influx

    words = {"ok": "ok", "warning": "warn", "failed": "fail"}
    try:
        for found in check_influx(loaded):
            yield Check(f"influxdb {found.name}", words[found.status], found.found, found.advice)
    except EngineError as error:
        yield _failed("influxdb", error)


def check_place(name: str, path: Path) -> Check:
    """Whether the file and its folder (for SQLite's journal) can be written, and how full the disk is."""
    folder = path.absolute().parent
    if not folder.is_dir():
        return Check(name, "fail", f"the folder {folder} does not exist", "Make it, or name another file.")
    for needed in (path, folder) if path.exists() else (folder,):
        if not os.access(needed, os.W_OK):
            return Check(
                name, "fail", f"{needed} is not writable", "Change its mode or owner, or name another file."
            )
    shortage = cause_of(find_number(path), path)
    if shortage is not None:
        return Check(name, "fail", shortage.reason, shortage.advice)
    free = shutil.disk_usage(folder).free
    summary = f"writable, {free // (1024 * 1024):,} MiB free"
    return Check(
        name,
        "warn" if free < _FREE_BYTES_WARN else "ok",
        summary,
        "" if free >= _FREE_BYTES_WARN else "Make room.",
    )


def _journal_mode(path: Path) -> str:
    # Byte 18 of an SQLite file is the write version: 2 means WAL.
    # https://www.sqlite.org/fileformat2.html#file_format_version_numbers (2026-11-23)
    with path.open("rb") as file:
        head = file.read(19)
    return "wal" if head[18:] == b"\x02" else "rollback (a pass sets wal)"


def _failed(name: str, error: EngineError) -> Check:
    return Check(name, "fail", error.message, error.hint)
