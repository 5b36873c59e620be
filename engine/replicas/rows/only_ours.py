"""Checks whether everything in a rows file could be restored from Home Assistant, so that it may be removed."""

from functools import cache
from pathlib import Path

import apsw

from engine.replicas.rows.schema import columns_of, ensure_schema
from engine.replicas.rows.snapshots.backup import read_snapshot


def holds_only_ours(path: Path) -> bool:
    """Whether every row is as this program last wrote it, and no table, column, view or trigger is another program's.

    Raises ReplicaError if that cannot be determined.
    """
    connection, content = read_snapshot(path)
    try:
        return content.records == content.as_applied and _parts(connection) <= _own_parts()
    finally:
        connection.close()


@cache
def _own_parts() -> frozenset[tuple[str, str]]:
    connection = apsw.Connection(":memory:")
    try:
        ensure_schema(connection, "sqlite")
        return _parts(connection)
    finally:
        connection.close()


def _parts(connection: apsw.Connection) -> frozenset[tuple[str, str]]:
    """Each table with each of its columns, each view and trigger. Indexes contain no data of their own."""
    found = set[tuple[str, str]]()
    for kind, name in connection.execute("SELECT type, name FROM sqlite_schema WHERE type != 'index'"):
        if str(name).startswith("sqlite_"):
            continue
        columns = columns_of(connection, str(name)) if kind == "table" else ()
        found |= {(f"{kind} {name}", column.lower()) for column in columns} or {(f"{kind} {name}", "")}
    return frozenset(found)
