"""When foreign rows, held operations and other differences without a date elsewhere were first found.

Everything here runs inside the caller's transaction; the caller bounds the number of entries.
"""

from collections.abc import Mapping

import apsw

from engine.core.compare.diff import Kind
from engine.core.guards.look import FirstSeen, Look
from engine.core.state.report import FoundKey
from engine.replicas.sqlite_file.tables import has_table

FOUND_TABLE = """CREATE TABLE IF NOT EXISTS reconcile_found (
  replica TEXT NOT NULL, registry TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, version TEXT,
  found_at REAL NOT NULL, boot TEXT, uptime REAL, PRIMARY KEY (replica, registry, id, kind)) WITHOUT ROWID"""
_KINDS = {str(kind): kind for kind in Kind}


def read_found(connection: apsw.Connection, replica: str) -> dict[FoundKey, FirstSeen]:
    """The stored differences of a replica. Skips invalid entries that another program wrote."""
    if not has_table(connection, "reconcile_found"):
        return {}
    rows = connection.execute(
        "SELECT registry, id, kind, version, found_at, boot, uptime FROM reconcile_found WHERE replica = ?"
        " AND typeof(registry) = 'text' AND typeof(id) = 'text' AND typeof(kind) = 'text'"
        " AND typeof(version) IN ('text', 'null') AND typeof(found_at) = 'real'"
        " AND typeof(boot) IN ('text', 'null') AND typeof(uptime) IN ('real', 'null')",
        (replica,),
    )
    return {
        (replica, registry, id_, _KINDS[kind]): FirstSeen(version, Look(*look))
        for registry, id_, kind, version, *look in rows
        if kind in _KINDS
    }


def write_found(connection: apsw.Connection, replica: str, found: Mapping[FoundKey, FirstSeen]) -> None:
    """Store these differences of a replica, replacing earlier ones."""
    connection.execute("DELETE FROM reconcile_found WHERE replica = ?", (replica,))
    connection.executemany(
        "INSERT INTO reconcile_found VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (*key[:3], str(key[3]), one.version, one.at.wall, one.at.boot, one.at.uptime)
            for key, one in sorted(found.items())
        ),
    )


def forget_found(connection: apsw.Connection) -> None:
    """Forget all entries: the next pass then counts as the first to find each difference."""
    if has_table(connection, "reconcile_found"):
        connection.execute("DELETE FROM reconcile_found")
