"""The change feed in the rows file: all writes in order, each entry with the values that it replaced.

Every function works on a connection inside a transaction that the caller holds; those that read also work if
the table does not exist yet.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import msgspec

from engine.core.compare.plan import Operation
from engine.core.home.derived import Derived
from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import canonical_fields
from engine.ports import Run
from engine.replicas.sqlite_file.tables import has_table


class FeedEntry(msgspec.Struct, frozen=True):
    """One entry of the change feed. An update contains the fields that differ, a create or delete all of them."""

    seq: int
    run_id: str
    at: float  # Unix seconds
    op: str  # c, u, d
    key: Key
    cause: str
    before: dict[str, Json] | None
    after: dict[str, Json] | None


# As JSON if they were encoded before the transaction began.
Fields = dict[str, Json] | msgspec.Raw


class Entry(msgspec.Struct, frozen=True):
    """A change that is about to be recorded."""

    op: str
    key: Key
    cause: str
    before: Fields | None
    after: Fields | None


_APPEND = (
    "INSERT INTO reconcile_changes (run_id, changed_at, op, registry, id, cause, before, after)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_APPEND_CREATED = (
    "INSERT INTO reconcile_changes (run_id, changed_at, op, registry, id, cause, after)"
    " VALUES (?, ?, 'c', ?, ?, ?, ?)"
)


def write_changes(connection: apsw.Connection, entries: Iterable[Entry], run: Run) -> None:
    """Append to the change feed, in order."""
    run_id, at = run.run_id, run.at
    connection.executemany(
        _APPEND,
        ((run_id, at, e.op, *e.key, e.cause, _json(e.before), _json(e.after)) for e in entries),
    )


def created_entries(operations: Iterable[Operation]) -> list[tuple[str, str, str, str]]:
    """The feed's entries for created rows: (registry, id, cause, the row as JSON)."""
    return [
        (*o.difference.key, o.difference.cause, _encode_row(o.after, o.derived).decode())
        for o in operations
        if o.after is not None
    ]


def write_created(
    connection: apsw.Connection, created: Iterable[tuple[str, str, str, str]], run: Run
) -> None:
    """Append created rows, as returned by `created_entries`, in order."""
    run_id, at = run.run_id, run.at
    connection.executemany(_APPEND_CREATED, [(run_id, at, *entry) for entry in created])


def read_changes(connection: apsw.Connection, after: int, limit: int) -> list[FeedEntry]:
    """The feed after sequence number `after`, oldest first, at most `limit` entries."""
    if not has_table(connection, "reconcile_changes"):
        return []
    rows = connection.execute(
        "SELECT * FROM reconcile_changes WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    )
    return [_change(row) for row in rows]


def read_newest(connection: apsw.Connection) -> int:
    """The newest sequence number that the feed ever used; 0 if it used none."""
    if not has_table(connection, "reconcile_changes"):
        return 0
    rows = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'reconcile_changes'").fetchall()
    newest = rows[0][0] if rows else 0
    # Another program may have written there; a damaged row may hold anything.
    return newest if isinstance(newest, int) else 0


def move_feed(connection: apsw.Connection, distance: int) -> None:
    """Add `distance`, more than the newest number, to every sequence number, past and future."""
    newest = read_newest(connection)
    assert distance > newest, "smaller distances would make sequence numbers collide"
    connection.execute("UPDATE reconcile_changes SET seq = seq + ?", (distance,))
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'reconcile_changes'")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('reconcile_changes', ?)", (newest + distance,))


def read_last_change(connection: apsw.Connection, key: Key) -> FeedEntry | None:
    """The newest entry of the feed about a key."""
    if not has_table(connection, "reconcile_changes"):
        return None
    rows = connection.execute(
        "SELECT * FROM reconcile_changes WHERE registry = ? AND id = ? ORDER BY seq DESC LIMIT 1", key
    ).fetchall()
    return _change(rows[0]) if rows else None


def _change(row: Sequence[Any]) -> FeedEntry:
    seq, run_id, changed_at, op, registry, id_, cause, *texts = row
    before, after = (None if text is None else msgspec.json.decode(str(text)) for text in texts)
    # Checked, because any program can write to the feed; the caller gets a DecodeError.
    names = FeedEntry.__struct_fields__
    values = (seq, run_id, changed_at, op, (registry, id_), cause, before, after)
    return msgspec.convert(dict(zip(names, values, strict=True)), FeedEntry)


_encode_json = msgspec.json.Encoder(order="sorted").encode
# Fields in the order of their declaration: readers decode an entry, and nothing compares its text.
_encode_plain = msgspec.json.Encoder(order="deterministic").encode


def encoded(fields: dict[str, Json]) -> msgspec.Raw:
    """Encode fields as the change feed and tombstones store them."""
    return msgspec.Raw(_encode_json(fields))


def encoded_row(record: Record, derived: Derived | None) -> msgspec.Raw:
    """Encode all values of a row: of a record and its derived values."""
    return msgspec.Raw(_encode_row(record, derived))


def _encode_row(record: Record, derived: Derived | None) -> bytes:
    """The same as bytes; without building a dict, because a first fill makes one entry for each row."""
    if record.extra:
        return _encode_json(canonical_fields(record) | (msgspec.to_builtins(derived) if derived else {}))
    fields, more = _encode_plain(record), b"{}" if derived is None else _encode_plain(derived)
    return fields if more == b"{}" else b"%b,%b" % (fields[:-1], more[1:])


def _json(value: Fields | None) -> str | None:
    if value is None:
        return None
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else _encode_json(value).decode()
