"""The engine's own tables in the rows file: last applied, absences, tombstones, changes, runs.

Every function works on a connection inside a transaction that the caller holds; those that read also work if
the tables do not exist yet. The change feed and the runs are bounded, tombstones are kept for some days.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns, or quoted; values are bound)

import secrets
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import apsw
import msgspec

from engine.core.compare.plan import Operation
from engine.core.guards.look import Look
from engine.core.records.record import Key
from engine.ports import Run
from engine.replicas.sqlite_file.remembered_home import decode_home
from engine.replicas.sqlite_file.tables import has_table

LEDGER_TABLES = (
    "CREATE TABLE IF NOT EXISTS reconcile_meta (name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS reconcile_applied (
      replica TEXT NOT NULL, registry TEXT NOT NULL, id TEXT NOT NULL,
      version TEXT NOT NULL, row_digest TEXT, applied_at REAL NOT NULL,
      PRIMARY KEY (replica, registry, id)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS reconcile_absences (
      registry TEXT NOT NULL, id TEXT NOT NULL, missed_at REAL NOT NULL, boot TEXT, uptime REAL,
      PRIMARY KEY (registry, id)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS reconcile_tombstones (
      registry TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, others TEXT NOT NULL,
      cause TEXT NOT NULL, deleted_at REAL NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (registry, id)) WITHOUT ROWID""",
    # Every write transaction searches for old tombstones.
    "CREATE INDEX IF NOT EXISTS reconcile_tombstones_age ON reconcile_tombstones (deleted_at)",
    """CREATE TABLE IF NOT EXISTS reconcile_changes (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, changed_at REAL NOT NULL,
      op TEXT NOT NULL, registry TEXT NOT NULL, id TEXT NOT NULL, cause TEXT NOT NULL, before TEXT, after TEXT)""",
    "CREATE INDEX IF NOT EXISTS reconcile_changes_key ON reconcile_changes (registry, id)",
    """CREATE TABLE IF NOT EXISTS reconcile_runs (
      run_id TEXT NOT NULL PRIMARY KEY, started_at REAL NOT NULL, origin TEXT NOT NULL, ha_version TEXT,
      upserts INTEGER NOT NULL, moves INTEGER NOT NULL, deletes INTEGER NOT NULL)""",
)

# The keys of wanted rows are one JSON parameter, so one prepared statement serves any number.
WANTED = "(SELECT value ->> 0 AS registry, value ->> 1 AS id FROM json_each(?))"
# The names in the first column of the primary key, each found by a search after the previous one, so that a table of
# 20,000 keys is not scanned for its two or three replicas.
_REPLICAS = """
WITH RECURSIVE replicas (name) AS (
  SELECT min(replica) FROM reconcile_applied
  UNION ALL
  SELECT (SELECT min(replica) FROM reconcile_applied WHERE replica > name) FROM replicas WHERE name IS NOT NULL)
SELECT name FROM replicas WHERE name IS NOT NULL
"""
# With all columns of the primary key: without the first one SQLite would scan the table once per key.
_HELD = f"""
SELECT registry, id FROM {WANTED} AS wanted WHERE EXISTS (
  SELECT 1 FROM reconcile_applied AS a WHERE a.replica IN (SELECT value FROM json_each(?))
  AND a.registry = wanted.registry AND a.id = wanted.id)
"""
# One text, in the order of the primary key.
_APPLIED_TEXT = (
    "SELECT group_concat(registry || ' ' || length(id) || ' ' || id || ' ' || version, char(10))"
    " FROM reconcile_applied WHERE replica = ?"
)
_APPLY = (
    "INSERT INTO reconcile_applied VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (replica, registry, id) DO UPDATE"
    " SET version = excluded.version, row_digest = excluded.row_digest, applied_at = excluded.applied_at"
)
_SECRET_BYTES = 32
# Used once: for a file that an earlier version wrote, or that lost our tables but not its rows.
_WRITTEN_ENTRIES = {
    "reconcile_applied": "SELECT CAST(id AS BLOB) FROM reconcile_applied WHERE registry = 'config_entry'",
    "config_entries": "SELECT CAST(entry_id AS BLOB) FROM config_entries WHERE entry_id IS NOT NULL",
}
# Pruned foreign rows never belonged to Home Assistant.
_KNOWN = f"""
SELECT registry, id FROM {WANTED} AS wanted WHERE
  EXISTS (SELECT 1 FROM reconcile_changes AS c WHERE c.registry = wanted.registry AND c.id = wanted.id
          AND c.cause <> 'foreign')
  OR EXISTS (SELECT 1 FROM reconcile_tombstones AS t WHERE t.registry = wanted.registry AND t.id = wanted.id
             AND t.cause <> 'foreign')
"""


def read_note(connection: apsw.Connection, name: str) -> str | None:
    """The text stored under a name; None if there is none."""
    if not has_table(connection, "reconcile_meta"):
        return None
    rows = connection.execute("SELECT value FROM reconcile_meta WHERE name = ?", (name,))
    return next((value for (value,) in rows if isinstance(value, str)), None)


def write_note(connection: apsw.Connection, name: str, text: str) -> None:
    """Store a text under a name, replacing an earlier one."""
    connection.execute(
        "INSERT INTO reconcile_meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, text),
    )


def read_applied(connection: apsw.Connection, replica: str) -> dict[Key, str]:
    """The versions last applied to a replica."""
    if not has_table(connection, "reconcile_applied"):
        return {}
    # Bytes that another program wrote there are not a key; a row without an entry is never deleted.
    rows = connection.execute(
        "SELECT registry, id, version FROM reconcile_applied WHERE replica = ?"
        " AND typeof(registry) = 'text' AND typeof(id) = 'text'",
        (replica,),
    )
    return {Key(registry, id_): version for registry, id_, version in rows}


def digest_applied(connection: apsw.Connection, replica: str) -> str | None:
    """A digest of the versions last applied to a replica; None if the table contains anything else."""
    if not has_table(connection, "reconcile_applied"):
        return None
    [(text,)] = connection.execute(_APPLIED_TEXT, (replica,))
    if not isinstance(text, str | None):
        return None
    return blake2b((text or "").encode(), digest_size=16).hexdigest()


def read_secret(connection: apsw.Connection) -> bytes | None:
    """The key that seals caches of the file; None if there is none."""
    if not has_table(connection, "reconcile_meta"):
        return None
    rows = connection.execute("SELECT value FROM reconcile_meta WHERE name = 'cache_key'").fetchall()
    found = rows[0][0] if rows else None
    return found if isinstance(found, bytes) and len(found) == _SECRET_BYTES else None


def write_secret(connection: apsw.Connection) -> bytes:
    """Create the key that seals caches of the file, replacing an earlier one."""
    drawn = secrets.token_bytes(_SECRET_BYTES)
    connection.execute(
        "INSERT INTO reconcile_meta VALUES ('cache_key', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (drawn,),
    )
    # Earlier versions kept this instead of a cache.
    connection.execute("DELETE FROM reconcile_meta WHERE name = 'proof'")
    return drawn


def read_digests(
    connection: apsw.Connection, replica: str, registry: str
) -> dict[str, tuple[str | None, str]]:
    """(row digest, version) last applied, by id."""
    if not has_table(connection, "reconcile_applied"):
        return {}
    rows = connection.execute(
        "SELECT id, row_digest, version FROM reconcile_applied WHERE replica = ? AND registry = ?",
        (replica, registry),
    )
    return {id_: (digest, version) for id_, digest, version in rows}


def read_by_digest(connection: apsw.Connection, replica: str, registry: str, prefix: str) -> dict[str, str]:
    """Last applied versions that start with `prefix`, by row digest."""
    if not has_table(connection, "reconcile_applied"):
        return {}
    rows = connection.execute(
        "SELECT row_digest, version FROM reconcile_applied"
        " WHERE replica = ? AND registry = ? AND row_digest IS NOT NULL AND version GLOB ?",
        (replica, registry, f"{prefix}*"),
    )
    return dict(rows.fetchall())  # type: ignore[arg-type]  # apsw does not know the columns' types


def write_applied(
    connection: apsw.Connection, replica: str, entries: Iterable[tuple[Key, str, str | None]], at: float
) -> None:
    """Record (key, version, row digest or None) as last applied at `at` (Unix seconds)."""
    connection.executemany(_APPLY, ((replica, *key, version, digest, at) for key, version, digest in entries))


def write_written(
    connection: apsw.Connection,
    replica: str,
    operations: Iterable[Operation],
    digests: Iterable[str],
    run: Run,
) -> None:
    """Record the versions that operations wrote, with the digests of their rows in the same order."""
    desired, at = run.desired, run.at
    written = zip((operation.difference for operation in operations), digests, strict=True)
    connection.executemany(
        _APPLY,
        [(replica, *d.key, desired.get(d.key) or d.desired or "", digest, at) for d, digest in written],
    )


def replace_digests(connection: apsw.Connection, replica: str, digests: Mapping[Key, str]) -> None:
    """Replace all row digests of a replica with these."""
    connection.execute("UPDATE reconcile_applied SET row_digest = NULL WHERE replica = ?", (replica,))
    connection.executemany(
        "UPDATE reconcile_applied SET row_digest = ? WHERE replica = ? AND registry = ? AND id = ?",
        ((digest, replica, *key) for key, digest in digests.items()),
    )


def forget_applied(connection: apsw.Connection, replica: str, keys: Iterable[Key]) -> None:
    """Forget the last applied versions of these keys."""
    connection.executemany(
        "DELETE FROM reconcile_applied WHERE replica = ? AND registry = ? AND id = ?",
        ((replica, *k) for k in keys),
    )


def read_absences(connection: apsw.Connection) -> dict[Key, Look]:
    """The look that first missed each missing key."""
    if not has_table(connection, "reconcile_absences"):
        return {}
    # All columns, because a file written by an earlier version lacks the last two.
    rows = connection.execute(
        "SELECT * FROM reconcile_absences WHERE typeof(registry) = 'text' AND typeof(id) = 'text'"
    )
    return {Key(registry, id_): _look(*look) for registry, id_, *look in rows}


def write_absences(connection: apsw.Connection, begun: Sequence[Key], over: Sequence[Key], at: Look) -> None:
    """Remember keys first missed by the look; an absence that has already begun keeps its beginning."""
    connection.executemany("DELETE FROM reconcile_absences WHERE registry = ? AND id = ?", over)
    connection.executemany(
        "INSERT INTO reconcile_absences (registry, id, missed_at, boot, uptime) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        ((*key, at.wall, at.boot, at.uptime) for key in begun),
    )


def read_home(connection: apsw.Connection) -> frozenset[str]:
    """The remembered config entries of the home; if there are none, those written as its records."""
    if has_table(connection, "reconcile_meta") and (home := decode_home(connection, "reconcile_meta")):
        return home
    found = set()
    for table, statement in _WRITTEN_ENTRIES.items():
        names = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        if {name for (name,) in names} & {"id", "entry_id"}:
            # Another program may have written there.
            found |= {bytes(id_).decode(errors="replace") for (id_,) in connection.execute(statement)}
    return frozenset(found)


def read_held(connection: apsw.Connection, keys: Sequence[Key]) -> frozenset[Key]:
    """The keys that some replica still holds as ours."""
    if not keys or not has_table(connection, "reconcile_applied"):
        return frozenset()
    replicas = [name for (name,) in connection.execute(_REPLICAS)]
    rows = connection.execute(
        _HELD, (msgspec.json.encode(keys).decode(), msgspec.json.encode(replicas).decode())
    )
    return frozenset(Key(registry, id_) for registry, id_ in rows)


def read_known(connection: apsw.Connection, keys: Sequence[Key]) -> frozenset[Key]:
    """The keys that appear as Home Assistant's among the applied versions, the changes or the tombstones."""
    if not has_table(connection, "reconcile_applied"):
        return frozenset()
    known = read_held(connection, keys)
    rest = [key for key in keys if key not in known]
    rows = connection.execute(_KNOWN, (msgspec.json.encode(rest).decode(),))
    return known | {Key(registry, id_) for registry, id_ in rows}


def forget_absences(connection: apsw.Connection) -> None:
    """Forget all absences: the next read finds them again, or does not."""
    connection.execute("DELETE FROM reconcile_absences")


def write_run(connection: apsw.Connection, run: Run, counts: tuple[int, int, int]) -> None:
    """Add (upserts, moves, deletes) to a run's counts; a run may write more than once."""
    connection.execute(
        "INSERT INTO reconcile_runs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET"
        " upserts = upserts + excluded.upserts, moves = moves + excluded.moves, deletes = deletes + excluded.deletes",
        (run.run_id, run.at, run.origin, run.ha_version, *counts),
    )


def prune(connection: apsw.Connection, *, changes_max: int, tombstones_before: float) -> None:
    """Keep the newest `changes_max` changes and runs, and tombstones not older than `tombstones_before` (Unix seconds)."""
    connection.execute(
        "DELETE FROM reconcile_changes WHERE seq <= (SELECT max(seq) FROM reconcile_changes) - ?",
        (changes_max,),
    )
    connection.execute(
        "DELETE FROM reconcile_runs WHERE rowid <= (SELECT max(rowid) FROM reconcile_runs) - ?",
        (changes_max,),
    )
    connection.execute("DELETE FROM reconcile_tombstones WHERE deleted_at < ?", (tombstones_before,))


def _look(wall: Any, boot: Any = None, uptime: Any = None) -> Look:
    """The stored look; if another program wrote other values than numbers, one that proves nothing, so that the wait starts again."""
    if not isinstance(wall, float) or not isinstance(uptime, float | None):
        return Look(0.0)
    return Look(wall, boot, uptime)
