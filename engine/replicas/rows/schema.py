"""The tables of the rows file: created, or added to another program's database.

An existing database is adopted in place: missing columns are added, other columns, tables, indexes and rows are
left alone. All of this runs inside a write transaction that is needed anyway, so reading changes no file.
"""

import apsw

from engine.errors import ReplicaRejected
from engine.replicas.rows.columns import TABLES, Table
from engine.replicas.rows.ledger.entries import LEDGER_TABLES
from engine.replicas.rows.ledger.found import FOUND_TABLE
from engine.replicas.sqlite_file.tables import ROWS, check_kind

# The version of our own tables. A program with an older version must not write.
SCHEMA_VERSION = 1
# The version of the columns in a row's digest. Increase it when the columns change: rows are then compared by content
# until the next write transaction recomputes their digests, instead of all of them appearing changed.
ROW_LAYOUT = 2

_NOT_NULL = {"devices": ("device_id", "name"), "entities": ("entity_id", "domain")}
_PRIMARY_KEYS = {
    "entities": ("entity_id",)
}  # the registry's id is a unique index: other programs leave it out
_REFERENCES = {("entities", "device_id"): " REFERENCES devices (device_id) ON DELETE CASCADE"}
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS idx_device_area ON devices (area_id)",
    "CREATE INDEX IF NOT EXISTS idx_device_integration ON devices (integration)",
    "CREATE INDEX IF NOT EXISTS idx_device_manufacturer ON devices (manufacturer)",
    "CREATE INDEX IF NOT EXISTS idx_entity_device ON entities (device_id)",
    "CREATE INDEX IF NOT EXISTS idx_entity_domain ON entities (domain)",
    "CREATE INDEX IF NOT EXISTS idx_entity_area ON entities (area_id)",
    "CREATE UNIQUE INDEX IF NOT EXISTS idx_entity_registry_id ON entities (id)",
)


def columns_of(connection: apsw.Connection, table: str) -> tuple[str, ...]:
    """The names of a table's columns except generated ones; empty if there is no such table."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return tuple(str(name) for (name,) in rows)


def types_of(connection: apsw.Connection, table: str) -> dict[str, str]:
    """The declared types of a table's columns by lower-case name; empty if there is no such table."""
    rows = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    return {str(name).lower(): str(type_ or "") for name, type_ in rows}


def check_schema(connection: apsw.Connection, replica: str) -> bool:
    """Whether stored digests cover the present columns. Raises ReplicaRejected if a newer program made the tables."""
    if "reconcile_meta" not in check_kind(connection, replica, ROWS):
        return False
    meta = {name: value for name, value in connection.execute("SELECT name, value FROM reconcile_meta")}  # noqa: C416
    found = meta.get("schema_version", 0)
    if not isinstance(found, int) or found > SCHEMA_VERSION:
        raise ReplicaRejected(
            replica,
            f"The tables have schema version {found}, and this program knows {SCHEMA_VERSION}.",
            "Nothing was changed. Update this program, or move the file away to have it rebuilt.",
        )
    return meta.get("row_layout") == ROW_LAYOUT


def ensure_schema(connection: apsw.Connection, replica: str) -> bool:
    """Create missing tables and columns. Call it within a write transaction; raises ReplicaRejected.

    Returns whether stored digests cover the present columns; if not, the caller must recompute them.
    """
    is_current = check_schema(connection, replica)
    for table in TABLES.values():
        _ensure_table(connection, table, replica)
    for statement in (*_INDEXES, *LEDGER_TABLES, FOUND_TABLE):
        connection.execute(statement)
    _add_looks(connection)
    if not is_current:
        connection.executemany(
            "INSERT INTO reconcile_meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (("schema_version", SCHEMA_VERSION), ("row_layout", ROW_LAYOUT)),
        )
    return is_current


def _add_looks(connection: apsw.Connection) -> None:
    """Add the columns for boot and uptime to the absences of an earlier version."""
    present = {
        name for (name,) in connection.execute("SELECT name FROM pragma_table_info('reconcile_absences')")
    }
    for column in ("boot TEXT", "uptime REAL"):
        if column.partition(" ")[0] not in present:
            connection.execute(f"ALTER TABLE reconcile_absences ADD COLUMN {column}")


def _ensure_table(connection: apsw.Connection, table: Table, replica: str) -> None:
    present = {name.lower() for name in columns_of(connection, table.name)}
    if not present:
        connection.execute(_create(table))
        return
    # The index on the registry's id is created below, so that column may still be missing.
    missing_keys = [name for name in _PRIMARY_KEYS.get(table.name, table.key_columns) if name not in present]
    if missing_keys:
        raise ReplicaRejected(
            replica,
            f"The file has a table {table.name} without a column {missing_keys[0]}: it is not HomeIQ's, nor ours.",
            "Nothing was changed. Give the rows a file of their own.",
        )
    for column in table.columns:
        if column.sql not in present:
            connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {column.sql} {column.type}")


def _create(table: Table) -> str:
    not_null = _NOT_NULL.get(table.name, table.key_columns)
    lines = [
        f"{column.sql} {column.type}{' NOT NULL' if column.sql in not_null else ''}"
        f"{_REFERENCES.get((table.name, column.sql), '')}"
        for column in table.columns
    ]
    lines.append(f"PRIMARY KEY ({', '.join(_PRIMARY_KEYS.get(table.name, table.key_columns))})")
    return f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(lines) + "\n)"
