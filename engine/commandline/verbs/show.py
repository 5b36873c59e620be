"""`reconcile show KEY`: one record, compared with Home Assistant to see whether it is real. Changes nothing on disk."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import OK
from engine.commandline.interruption import Interruption
from engine.commandline.lookup import Ambiguous, KeyUnknown, NotStored, check_fate, find_key, named_key
from engine.commandline.output import emit_json, emit_text, print_message
from engine.commandline.text.safe_text import name_text, value_text, visible
from engine.commandline.text.verdict import verdict_lines
from engine.commandline.verbs.compared import compared_now, distinguished
from engine.composition.stores import Stores, open_stores
from engine.core.compare.stored import StoredRow
from engine.core.records.record import Json, Key
from engine.core.records.registries import REGISTRIES
from engine.core.spelling import spellings
from engine.core.state.fate import Former, recorded_formers
from engine.core.state.record_verdict import RecordVerdict, Verdicts
from engine.core.state.report import SCHEMA_VERSION
from engine.core.times import Instant, encode_document, rfc3339
from engine.errors import EngineError, ReplicaError
from engine.settings.sections import LoadedSettings

# The engine's ledger is part of the SQLite file, so a restore brings back the snapshot's.
_NO_NOTE = (
    "not known to be written by the engine (after a restore, it knows only what it wrote before the snapshot)"
)


class LastChange(msgspec.Struct, frozen=True):
    """When and by which run the row was last written; `op` is c, u or d (created, updated, deleted)."""

    at: Instant
    op: str
    run_id: str


class StoredRecord(msgspec.Struct, frozen=True):
    """The output of `show --json`. Versions are hashes, or hash and digest of the derived values."""

    schema_version: int
    registry: str
    key: str
    name: str
    version: str  # the row's in the rows file
    last_applied: dict[str, str | None]  # by replica; None: the engine never wrote it there
    fields: dict[str, Json]
    derived: dict[str, Json]
    stamps: dict[str, str]
    last_change: LastChange | None  # as far back as the change feed reaches
    sync: RecordVerdict | None = None


def run_show(arguments: Arguments, stop: Interruption) -> int:
    """Print the record. Raises EngineError when no record has that name."""
    loaded = load(arguments)
    check_rows_file(loaded)
    try:
        with open_stores(loaded, private_copy=True) as stores:
            record = _look_up(stores, arguments.key)
    except Ambiguous as several:
        raise distinguished(several, compared_now(arguments, loaded, stop)) from several
    except KeyUnknown as unknown:
        record = _missing(arguments.key, compared_now(arguments, loaded, stop), unknown)
    else:
        sync = verdict_on(record, compared_now(arguments, loaded, stop))
        record = msgspec.structs.replace(record, sync=sync)
    if arguments.format == "json":
        emit_json(encode_document(record))
    else:
        emit_text(render_record(record))
    return OK


def check_rows_file(loaded: LoadedSettings) -> None:
    """Raises EngineError when no pass has been made yet."""
    path = Path(loaded.settings.rows.file)
    if not path.exists():
        raise EngineError(
            f"The rows file {path} does not exist.", "Set rows.file (--rows), or run `reconcile` to fill it."
        )


def all_rows(stores: Stores) -> tuple[dict[Key, str], dict[Key, StoredRow]]:
    """The version and content of every row in the rows file."""
    versions = stores.rows.observe().versions
    return versions, stores.rows.read(versions)


def find_known(stores: Stores, text: str, rows: Mapping[Key, StoredRow]) -> Key:
    """The key of the row with this name, or that had it; then a note gives its current name. Raises KeyUnknown."""
    try:
        return find_key(text, rows)
    except NotStored:
        key = check_fate(text, formers(stores, text), rows, partial(_has_versions, stores))
        name = rows[key].fields.get("entity_id") or key.id
        print_message(
            f"{name_text(text)} has another name by now: {name_text(str(name))} ({visible(str(key))})."
        )
        return key


def formers(stores: Stores, text: str) -> list[Former]:
    """The records that were ever known as `text`, according to the rows file and the records store."""
    named = named_key(text)
    asked = named.id if named else text.strip()
    found = stores.rows.former(asked)
    records = stores.records
    if records is not None:
        keys = possible_keys(text)
        # Without the records store, the rows file still answers.
        with suppress(ReplicaError):
            found += recorded_formers(asked, keys, records.holders(asked), records.newest)
    return [former for former in found if named is None or former.key.registry == named.registry]


def possible_keys(text: str) -> list[Key]:
    """The keys that `text` may mean as REGISTRY/ID or as an id, written in any case, whether or not there are such records."""
    named = named_key(text)
    registries = (named.registry,) if named else REGISTRIES
    return [Key(registry, id_) for registry in registries for id_ in spellings(named.id if named else text)]


def _has_versions(stores: Stores, key: Key) -> bool:
    with suppress(ReplicaError):
        return stores.records is not None and bool(stores.records.newest(key, 1))
    return False


def verdict_on(record: StoredRecord, verdicts: Verdicts) -> RecordVerdict:
    """The verdict on a record of the rows file."""
    entity_id = str(record.fields["entity_id"]) if record.fields.get("entity_id") else None
    written_at = record.last_change.at if record.last_change else None
    return verdicts.of(Key(record.registry, record.key), entity_id=entity_id).of_row(written_at)


def _missing(text: str, verdicts: Verdicts, unknown: KeyUnknown) -> StoredRecord:
    """The record of this name that Home Assistant has and the rows lack. Raises `unknown` when there is none."""
    key = verdicts.missing(text)
    if key is None:
        raise unknown
    sync = verdicts.of(key, has_row=False)
    fields = {each.name: each.source for each in sync.differs}
    return StoredRecord(
        SCHEMA_VERSION,
        key.registry,
        key.id,
        verdicts.name_of(key) or text,
        "",
        {},
        fields,
        {},
        {},
        None,
        sync,
    )


def _look_up(stores: Stores, text: str) -> StoredRecord:
    versions, rows = all_rows(stores)
    key = find_known(stores, text, rows)
    names = [replica.name for replica in stores.replicas]
    row, change = rows[key], stores.rows.last_change(key)
    return StoredRecord(
        SCHEMA_VERSION,
        key.registry,
        key.id,
        row.label,
        versions[key],
        {name: stores.rows.applied(name).get(key) for name in names},
        row.fields,
        row.derived,
        row.timestamps,
        LastChange(Instant(change.at), change.op, change.run_id) if change else None,
    )


def render_record(record: StoredRecord) -> str:
    """The record as text; it ends with a newline."""
    lines = [f"{visible(f'{record.registry}/{record.key}')} {name_text(record.name)}"]
    if record.sync is not None:
        lines += verdict_lines(record.sync)
    if record.version:
        lines.append(f"  version {record.version}")
    for replica, version in record.last_applied.items():
        summary = _NO_NOTE if version is None else version or "unknown, a write was cut off"
        lines.append(f"  last applied to {replica}: {summary}")
    if record.last_change:
        lines.append(
            f"  last written {rfc3339(record.last_change.at)} by run {visible(record.last_change.run_id)}"
        )
    parts = (("fields", record.fields), ("derived", record.derived), ("row timestamps", record.stamps))
    for title, values in parts:
        if values:
            lines.append(f"  {title}:")
            lines += [f"    {visible(name)}: {value_text(value)}" for name, value in sorted(values.items())]
    return "\n".join(lines) + "\n"
