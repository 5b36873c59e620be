"""The history file's tables. Created in the first write transaction, so that reading changes no file."""

import apsw

from engine.errors import ReplicaRejected
from engine.replicas.history.holders import make_holders
from engine.replicas.sqlite_file.tables import HISTORY, check_kind

# A new file has the first schema; in one with the second, part of the past was forgotten, and the tables record it.
SCHEMA_VERSION, SCHEMA_MADE = 2, 1

META = "meta"  # the table of names and values

# at_ns orders all revisions: the commit's time, with a nanosecond between revisions of one commit.
COLUMNS = (
    *(
        "at_ns",
        "registry",
        "id",
        "op",
        "rev",
        "hash",
        "payload",
        "digest",
        "run_id",
        "ha_version",
        "modified_us",
    ),
)
_STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS records (
      at_ns INTEGER PRIMARY KEY, registry TEXT NOT NULL, id TEXT NOT NULL, op TEXT NOT NULL, rev INTEGER NOT NULL,
      hash TEXT NOT NULL, payload TEXT NOT NULL, digest TEXT NOT NULL, run_id TEXT NOT NULL, ha_version TEXT,
      modified_us INTEGER)""",
    # Covers the search for every key's newest revision, so that it reads no older payloads.
    "CREATE INDEX IF NOT EXISTS records_newest ON records (registry, id, at_ns)",
)


def has_records(connection: apsw.Connection, replica: str) -> bool:
    """Whether there is anything to read. Raises ReplicaRejected when a newer program created the tables."""
    present = check_kind(connection, replica, HISTORY)
    if "meta" in present:
        rows = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchall()
        found = rows[0][0] if rows else 0
        if not isinstance(found, int) or found > SCHEMA_VERSION:
            raise ReplicaRejected(
                replica,
                f"The history file has schema version {found}, and this program knows {SCHEMA_VERSION}.",
                "Nothing was changed. Update this program, or move the file away to begin a new history.",
            )
    return "records" in present


def ensure_records(connection: apsw.Connection, replica: str) -> None:
    """Create the tables if missing. Needs a write transaction; raises ReplicaRejected."""
    if has_records(connection, replica):
        return
    for statement in _STATEMENTS:
        connection.execute(statement)
    make_holders(connection, is_whole=True)
    connection.execute("INSERT INTO meta VALUES ('schema_version', ?) ON CONFLICT DO NOTHING", (SCHEMA_MADE,))
