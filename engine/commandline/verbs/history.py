"""`reconcile history KEY`: every version of one record, from the records replica. Changes nothing on disk."""

from itertools import pairwise
from pathlib import Path

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import OK
from engine.commandline.interruption import Interruption
from engine.commandline.lookup import NotStored, check_fate, find_fate, find_key
from engine.commandline.output import emit_json, emit_text
from engine.commandline.text.record_lines import LINES_MAX, capped
from engine.commandline.text.safe_text import value_text, visible
from engine.commandline.text.verdict import verdict_lines
from engine.commandline.verbs.compared import compared_now
from engine.commandline.verbs.show import all_rows, formers, possible_keys
from engine.composition.stores import Stores, open_stores
from engine.core.records.record import Json, Key
from engine.core.records.revision import Revision
from engine.core.state.record_verdict import RecordVerdict
from engine.core.state.report import SCHEMA_VERSION
from engine.core.times import encode_document, rfc3339
from engine.errors import EngineError
from engine.ports import Records
from engine.settings.stores import is_kafka


class FieldDifference(msgspec.Struct, frozen=True):
    """One field before and after; None if it has no value."""

    name: str
    before: Json
    after: Json


class Version(msgspec.Struct, frozen=True):
    """One entry of the timeline; `changes` are against the entry before."""

    at: str
    op: str
    rev: int
    hash: str
    run_id: str
    changes: tuple[FieldDifference, ...]
    fields: dict[str, Json]


class RecordHistory(msgspec.Struct, frozen=True):
    """The output of `history --json`: all versions, oldest first."""

    schema_version: int
    registry: str
    key: str
    versions: tuple[Version, ...]
    sync: RecordVerdict | None = None
    known_from: str | None = None  # earlier versions are forgotten; null: none are forgotten by age
    forgotten: int = 0  # versions of this record that are no longer known


def run_history(arguments: Arguments, stop: Interruption) -> int:
    """Print the timeline. Raises EngineError when no store keeps one, or the key has none."""
    loaded = load(arguments)
    if loaded.settings.records.uri == "none":
        raise EngineError(
            "Setting records.uri = 'none': no store keeps a history.", "Set it to history:FILE (--records)."
        )
    if is_kafka(loaded.settings.records.uri):
        raise EngineError(
            "records.uri names Kafka, which keeps the newest version of each record: no store keeps a history.",
            "Name the Kafka in records.kafka_uri, and history:FILE in records.uri; then both are kept.",
        )
    check_store(loaded.settings.records.uri)
    with open_stores(loaded, private_copy=True) as stores:
        assert stores.records is not None
        key = _find(stores, stores.records, arguments.key)
        is_whole = arguments.full or arguments.format == "json"
        # One more than is shown, to compare the oldest shown one with.
        revisions = stores.records.timeline(key) if is_whole else stores.records.newest(key, LINES_MAX + 1)
        total = len(revisions) if is_whole else stores.records.count(key)
        row = stores.rows.read([key]).get(key)
        known = stores.records.forgotten(key)
        change = stores.rows.last_change(key) if row is not None else None
    verdicts = compared_now(arguments, loaded, stop)
    entity_id = str(row.fields["entity_id"]) if row is not None and row.fields.get("entity_id") else None
    verdict = verdicts.of(key, entity_id=entity_id, has_row=row is not None)
    # As `show` has it: the row may have been written without a new version, for a derived value.
    last = change if row is not None else next(reversed(revisions), None)
    sync = verdict.of_row(last.at if last else None)
    timeline = RecordHistory(
        SCHEMA_VERSION,
        key.registry,
        key.id,
        make_versions(revisions),
        sync,
        None if known.known_from is None else rfc3339(known.known_from),
        known.revisions,
    )
    if arguments.format == "json":
        emit_json(encode_document(timeline))
    else:
        summary = render_timeline(timeline, is_full=arguments.full, total=total)
        emit_text(f"{summary}{known.sentence}\n" if known.sentence else summary)
    return OK


def make_versions(revisions: list[Revision]) -> tuple[Version, ...]:
    """The revisions, oldest first, each with its changes; unknown if the previous version is forgotten."""
    first = revisions[:1]
    known = {} if not first or first[0].op == "create" else first[0].fields
    before: list[dict[str, Json]] = [known, *(r.fields for r in revisions)]
    return tuple(
        Version(rfc3339(r.at), r.op, r.rev, r.hash, r.run_id, _changes(old, new), r.fields)
        for r, (old, new) in zip(revisions, pairwise(before), strict=True)
    )


def render_timeline(timeline: RecordHistory, *, is_full: bool, total: int | None = None) -> str:
    """The timeline as text, the newest version first; `total` is their number, if not all are given."""
    blocks = []
    for version in reversed(timeline.versions):
        block = [f"  {version.at}  {version.op:<7} rev {version.rev}  run {visible(version.run_id)}"]
        # The first version and a tombstone would only repeat the whole record.
        if version.op not in ("create", "delete"):
            block += [
                f"      {visible(c.name)}: {value_text(c.before)} -> {value_text(c.after)}"
                for c in version.changes
            ]
        blocks.append(block)
    verdict = verdict_lines(timeline.sync) if timeline.sync is not None else []
    key = visible(f"{timeline.registry}/{timeline.key}")
    lines = [key, *verdict, *capped(blocks, is_full=is_full, total=total)]
    return "\n".join(lines) + "\n"


def check_store(uri: str) -> None:
    """Raises EngineError when there is no history file yet."""
    scheme, _, rest = uri.partition(":")
    if scheme == "history" and rest and not Path(rest).exists():
        raise EngineError(
            f"The history file {rest} does not exist.",
            "Set records.uri (--records), or run `reconcile` to fill it.",
        )


def _find(stores: Stores, records: Records, text: str) -> Key:
    # A record that is gone from the rows still has its past, so `text` is first tried as a key.
    for candidate in possible_keys(text):
        if records.newest(candidate, 1):
            return candidate
    _, rows = all_rows(stores)
    try:
        found = find_key(text, rows)
    except NotStored:
        # The records know a deleted entity's entity_id; the rows do not.
        known = formers(stores, text)
        fate = find_fate(text, known, rows)
        if fate is not None and records.newest(Key(fate.registry, fate.id), 1):
            return Key(fate.registry, fate.id)
        found = check_fate(text, known, rows)
    if not records.newest(found, 1):
        known_from = records.forgotten(found).known_from
        forgotten = (
            "" if known_from is None else f", or is forgotten, like everything before {rfc3339(known_from)}"
        )
        raise EngineError(
            f"The records store {records.name} has no version of {found}: it is a foreign row, which the engine never"
            f" wrote, or was not recorded yet{forgotten}.",
            f"Look at `reconcile show {found}`; if it is Home Assistant's, run `reconcile`.",
        )
    return found


def _changes(old: dict[str, Json], new: dict[str, Json]) -> tuple[FieldDifference, ...]:
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return tuple(FieldDifference(name, old.get(name), new.get(name)) for name in names)
