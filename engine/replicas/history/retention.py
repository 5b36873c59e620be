"""Deletes old revisions of the history file, and records what was deleted.

There are two ways, each only if its setting allows it:

- by age: revisions older than the edge, except the state of every record at the edge. So the home is known exactly at
  any time from the edge on, and not before. Nothing is left of a record that had ended by then;
- by thinning: if a record changed more than once within an interval, all but its last revision there. Only
  past intervals are thinned, and a record's newest revision always stays.

The edge is written in the transaction that first deletes something before it, so no reader ever finds a gap that the
file does not declare. From then on the schema is 2: a program that knows only 1 would report a home that never existed.

Every function works on a connection inside a transaction that the caller holds.
"""

# ruff: noqa: S608 (names in statements are our own columns; values are bound)

import json
from typing import Any

import apsw
import msgspec

from engine.core.records.record import Key
from engine.core.state.kept_past import NOTHING_FORGOTTEN, Forgotten
from engine.core.times import rfc3339
from engine.errors import HistoryForgotten
from engine.replicas.sqlite_file.tables import has_table

_NS = 1_000_000_000
_MS_IN_NS = 1_000_000
_DAY_NS = 86_400 * _NS
_START_NS = -(2**63)
FORGETFUL_SCHEMA = 2
_COMPACTED = (
    "The history file was compacted, by history.keep_days or by `reconcile history compact --before`."
)

_TABLE = """CREATE TABLE IF NOT EXISTS forgotten (registry TEXT NOT NULL, id TEXT NOT NULL, by_age INTEGER NOT NULL,
  by_thinning INTEGER NOT NULL, PRIMARY KEY (registry, id)) WITHOUT ROWID"""
# 1: a later revision was the state at the edge. 2: the record had ended by then.
_OLD = """SELECT at_ns, CASE WHEN state > at_ns THEN 1 WHEN ended THEN 2 ELSE 0 END FROM (
  SELECT r.at_ns, r.hash = '-' AND r.payload = '' AS ended, (SELECT max(n.at_ns) FROM records AS n
    WHERE n.registry = r.registry AND n.id = r.id AND n.at_ns <= ?3) AS state
  FROM records AS r WHERE r.at_ns > ?1 AND r.at_ns < ?2 ORDER BY r.at_ns LIMIT ?4)"""
_CROWDED = """SELECT r.at_ns, EXISTS (SELECT 1 FROM records AS n WHERE n.registry = r.registry AND n.id = r.id
    AND n.at_ns > r.at_ns AND n.at_ns < (r.at_ns / ?3 + 1) * ?3)
  FROM records AS r WHERE r.at_ns > ?1 AND r.at_ns < ?2 ORDER BY r.at_ns LIMIT ?4"""
_THESE = "(SELECT value FROM json_each(?))"
_COUNT_THESE = (
    f"INSERT INTO forgotten SELECT registry, id, {{}} FROM records WHERE at_ns IN {_THESE} GROUP BY registry, id"
    " ON CONFLICT (registry, id) DO UPDATE SET by_age = by_age + excluded.by_age,"
    " by_thinning = by_thinning + excluded.by_thinning"
)
# Counts of records that are gone for good are deleted, or the table would grow with every record that ever existed.
_DROP_COUNTS = (
    f"DELETE FROM forgotten WHERE (registry, id) IN (SELECT registry, id FROM records AS r WHERE at_ns IN {_THESE}"
    " AND NOT EXISTS (SELECT 1 FROM records AS n WHERE n.registry = r.registry AND n.id = r.id AND n.at_ns > r.at_ns))"
)
_RAISE = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"
_ADD = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
_NAMES = (
    "known_from_ns",
    "thinned_until_ns",
    "thinned_seconds",
    "forgotten_by_age",
    "forgotten_by_thinning",
)


class Retention(msgspec.Struct, frozen=True):
    """What may be forgotten; zeros allow nothing."""

    keep_days: float = 0
    thin_seconds: int = 0

    def __bool__(self) -> bool:
        return bool(self.keep_days or self.thin_seconds)


KEEP_ALL = Retention()


class Memory(msgspec.Struct, frozen=True):
    """The file's record of what it forgot; zeros if nothing."""

    known_from_ns: int = 0
    thinned_until_ns: int = 0
    thinned_seconds: int = 0  # the longest interval
    forgotten_by_age: int = 0
    forgotten_by_thinning: int = 0


class Stretch(msgspec.Struct, frozen=True):
    """A time range with revisions to forget: by age, or with an interval by thinning."""

    start_ns: int
    end_ns: int
    interval_ns: int = 0


class Chunk(msgspec.Struct, frozen=True):
    """A searched range of revisions: its end, and the times of the revisions in it to forget."""

    until_ns: int | None  # None if there were none
    outdated: list[int]
    ended: list[int] = []

    @property
    def count(self) -> int:
        """The number of revisions to forget."""
        return len(self.outdated) + len(self.ended)


def read_memory(connection: apsw.Connection) -> Memory:
    """The file's record of what it forgot."""
    if not has_table(connection, "meta"):
        return Memory()
    marks = ", ".join("?" * len(_NAMES))
    rows = connection.execute(f"SELECT name, value FROM meta WHERE name IN ({marks})", _NAMES)
    return Memory(**{str(name): value for name, value in rows if isinstance(value, int) and value >= 0})


def known_ns(connection: apsw.Connection, replica: str, at: float) -> int:
    """A time (Unix seconds), to the end of its millisecond. Raises HistoryForgotten when that time was forgotten."""
    at_ns = int(at * _NS) + _MS_IN_NS
    known_from_ns = read_memory(connection).known_from_ns
    if at_ns < known_from_ns:
        known_from = known_from_ns / _NS
        raise HistoryForgotten(replica, known_from, _COMPACTED, rfc3339(known_from))
    return at_ns


def read_forgotten(connection: apsw.Connection, key: Key) -> Forgotten:
    """What was forgotten about the past and about this record."""
    memory = read_memory(connection)
    if memory == Memory():
        return NOTHING_FORGOTTEN
    rows = []
    if has_table(connection, "forgotten"):
        rows = connection.execute(
            "SELECT by_age, by_thinning FROM forgotten WHERE registry = ? AND id = ?", key
        ).fetchall()
    by_age, by_thinning = (n if isinstance(n, int) else 0 for n in (rows[0] if rows else (0, 0)))
    return Forgotten(
        known_from=memory.known_from_ns / _NS if memory.known_from_ns else None,
        by_age=by_age,
        by_thinning=by_thinning,
        thinned_until=memory.thinned_until_ns / _NS if memory.thinned_until_ns else None,
        thinned_seconds=memory.thinned_seconds,
    )


def stretches(
    memory: Memory, retention: Retention, now_ns: int, newest_ns: int, thinned_until_ns: int = 0
) -> list[Stretch]:
    """The stretches to search: revisions that are too old, and past intervals from `thinned_until_ns` on.

    The edge is a whole second, so that a query can state it exactly. It is never after the newest revision: if a clock
    that is ahead put it there, it would hide known history until then.
    """
    found, edge_ns = [], memory.known_from_ns
    if retention.keep_days:
        kept_from_ns = now_ns - int(retention.keep_days * _DAY_NS)
        behind_all_ns = (newest_ns // _NS + 1) * _NS
        edge_ns = max(edge_ns, min(kept_from_ns // _NS * _NS, behind_all_ns))
        found.append(edge_at(edge_ns))
    if retention.thin_seconds:
        interval_ns = retention.thin_seconds * _NS
        start_ns = max(thinned_until_ns, edge_ns) - 1
        found.append(Stretch(start_ns, now_ns // interval_ns * interval_ns, interval_ns))
    return [stretch for stretch in found if stretch.start_ns < stretch.end_ns]


def edge_at(before_ns: int) -> Stretch:
    """The stretch that forgets everything before a time, rounded down to a whole second."""
    return Stretch(_START_NS, before_ns // _NS * _NS)


def find_forgettable(connection: apsw.Connection, stretch: Stretch, after_ns: int, limit: int) -> Chunk:
    """The revisions to forget among the next `limit` of a stretch after `after_ns`."""
    statement = _CROWDED if stretch.interval_ns else _OLD
    rows: list[Any] = connection.execute(
        statement, (after_ns, stretch.end_ns, stretch.interval_ns or stretch.end_ns, limit)
    ).fetchall()
    return Chunk(
        rows[-1][0] if rows else None,
        [at_ns for at_ns, why in rows if why == 1],
        [at_ns for at_ns, why in rows if why == 2],
    )


def forget(connection: apsw.Connection, stretch: Stretch, chunk: Chunk) -> None:
    """Delete the chunk's revisions, and record that. Needs a write transaction."""
    connection.execute(_TABLE)
    connection.execute(_RAISE, ("schema_version", FORGETFUL_SCHEMA))
    ended = chunk.ended
    both = json.dumps(chunk.outdated + ended)
    if stretch.interval_ns:
        assert chunk.until_ns is not None
        until_ns = (chunk.until_ns // stretch.interval_ns + 1) * stretch.interval_ns
        raised = {"thinned_until_ns": until_ns, "thinned_seconds": stretch.interval_ns // _NS}
        added = {"forgotten_by_thinning": chunk.count}
        counts = "0, count(*)"
    else:
        raised, added, counts = (
            {"known_from_ns": stretch.end_ns},
            {"forgotten_by_age": chunk.count},
            "count(*), 0",
        )
    connection.executemany(_RAISE, list(raised.items()))
    connection.executemany(_ADD, list(added.items()))
    connection.execute(_COUNT_THESE.format(counts), (both,))
    if ended:
        connection.execute(_DROP_COUNTS, (json.dumps(ended),))
    connection.execute(f"DELETE FROM records WHERE at_ns IN {_THESE}", (both,))


def date_back(connection: apsw.Connection, until_ns: int) -> None:
    """After a clock that was ahead: move the edge back to this time if it is later."""
    for name in ("known_from_ns", "thinned_until_ns"):
        connection.execute("UPDATE meta SET value = min(value, ?) WHERE name = ?", (until_ns, name))
