"""Reads the rows file: the version of every row, and whole rows by key.

A version is hashed from a row's values, never trusted: the last applied version is only used while the digest
of all of the row's columns is the recorded one. Any program may have written a row: columns may be missing,
values may have any type, and text may not even be UTF-8.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns, or quoted; values are bound)

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import apsw
import msgspec

from engine.core.compare.stored import StoredRow
from engine.core.records.content_hash import HASH_VERSION
from engine.core.records.record import Key
from engine.replicas.rows.codec import decode_row, digest_row, judge_row
from engine.replicas.rows.column_types import reading
from engine.replicas.rows.columns import TABLES, Table, Value
from engine.replicas.rows.ledger.entries import read_by_digest, read_digests
from engine.replicas.rows.ledger.feed import encoded
from engine.replicas.rows.schema import columns_of, types_of
from engine.replicas.sqlite_file.digests import text_of
from engine.replicas.sqlite_file.invalid_utf8 import rows_keeping_bytes
from engine.replicas.sqlite_file.tables import has_table

_HASH_PREFIX = f"{HASH_VERSION}:"


class FoundRow(msgspec.Struct, frozen=True, dict=True):
    """A row in the file: its row number, and the values of all our columns."""

    key: Key
    rowid: int
    values: tuple[Value, ...]

    @cached_property
    def stored(self) -> StoredRow:
        """The row under Home Assistant's names."""
        return decode_row(TABLES[self.key.registry], self.key, self.values)

    @cached_property
    def kept(self) -> tuple[msgspec.Raw, msgspec.Raw]:
        """The data to keep when the row is deleted: its fields for a tombstone, and with derived values for the change feed."""
        stored = self.stored
        return encoded(stored.fields), encoded(stored.fields | stored.derived)


def observe_rows(connection: apsw.Connection, replica: str, *, trust_digests: bool) -> dict[Key, str]:
    """The version of every row. `trust_digests`: stored digests cover the present columns."""
    versions: dict[Key, str] = {}
    for table in TABLES.values():
        select = _select(connection, table)
        if select is None:
            continue
        recorded = read_by_digest(connection, replica, table.registry, _HASH_PREFIX) if trust_digests else {}
        try:
            same, differing = _sort_out(table, connection.execute(select), recorded)
        except UnicodeDecodeError:
            same, differing = _sort_out(
                table, rows_keeping_bytes(connection, select, (*table.sql_names, "rowid")), recorded
            )
        versions |= same
        applied = read_digests(connection, replica, table.registry) if differing and trust_digests else {}
        versions |= {
            key: _version_found(key, *found, applied.get(key.id)) for key, found in differing.items()
        }
    return versions


def _sort_out(
    table: Table, rows: Iterable[tuple[Any, ...]], recorded: dict[str, str]
) -> tuple[dict[Key, str], dict[Key, tuple[tuple[Value, ...], str]]]:
    """The versions of unchanged rows; and the values and digests of the others.

    `recorded` has the last applied versions by row digest; a digest covers the row's key, so it never matches another row's.
    """
    versions: dict[Key, str] = {}
    differing: dict[Key, tuple[tuple[Value, ...], str]] = {}
    registry = table.registry
    # This loop runs once per row of the home, so it only compares; the caller examines the differing rows. Rows are
    # not fetched all at once: freeing each before the next arrives halves the cost.
    for row in rows:
        values = row[:-1]
        id_ = table.id_of(values, row[-1])
        digest = digest_row(values)
        version = recorded.get(digest)
        if version is None:
            differing[Key(registry, id_)] = (values, digest)
        else:
            versions[Key(registry, id_)] = version
    return versions, differing


def _version_found(
    key: Key, values: tuple[Value, ...], digest: str, applied: tuple[str | None, str] | None
) -> str:
    """The version of a row that differs, byte for byte, from the one recorded in `applied` (digest, version).

    It equals its content's version only if the row is exactly as we would write it. If only columns that are not hashed
    differ (`last_seen`, `created_at`), the digest is appended to the version: that is drift.
    """
    judged = judge_row(key, values)
    if judged is None:
        return f"?:{digest}"
    version, is_as_written = judged
    is_touched = applied is not None and applied[1] == version and applied[0] not in (None, digest)
    return f"{version}~{digest}" if is_touched or not is_as_written else version


def has_rows(connection: apsw.Connection, registry: str) -> bool:
    """Whether a registry has any rows."""
    table = TABLES[registry].name if registry in TABLES else ""
    return has_table(connection, table) and bool(
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()
    )


def find_rows(connection: apsw.Connection, keys: Iterable[Key]) -> dict[Key, FoundRow]:
    """The rows with the given keys, as used by `observe_rows`."""
    wanted: dict[str, set[str]] = {}
    for key in keys:
        wanted.setdefault(key.registry, set()).add(key.id)
    found: dict[Key, FoundRow] = {}
    for registry, ids in wanted.items():
        if registry not in TABLES:
            continue  # from a damaged ledger
        conditions = _conditions(connection, TABLES[registry])
        if any(id_.startswith("rowid:") for id_ in ids):
            conditions = ["? IS NOT NULL"]  # every row: these have no key to search by
        parameter = msgspec.json.encode(sorted(ids)).decode()
        for condition in conditions:
            rows = find_rows_where(connection, registry, condition, parameter)
            found |= {row.key: row for row in rows if row.key.id in ids}
    return found


def find_rows_where(
    connection: apsw.Connection, registry: str, condition: str, parameter: str
) -> list[FoundRow]:
    """The rows of a registry that meet an SQL condition with one parameter; empty without its table."""
    table = TABLES[registry]
    select = _select(connection, table)
    if select is None:
        return []
    rows = _rows(connection, table, f"{select} WHERE {condition}", (parameter,))
    return [FoundRow(Key(registry, table.id_of(row, row[-1])), row[-1], row[:-1]) for row in rows]


def read_scopes(connection: apsw.Connection) -> frozenset[str]:
    """The scopes of the stored categories."""
    if "scope" not in types_of(connection, "categories"):
        return frozenset()
    rows = connection.execute(
        "SELECT DISTINCT CAST(scope AS BLOB) FROM categories WHERE typeof(scope) = 'text'"
    )
    return frozenset(
        scope.decode("utf-8", "replace") for (scope,) in rows if isinstance(scope, bytes) and scope
    )


def _conditions(connection: apsw.Connection, table: Table) -> list[str]:
    """SQL conditions for rows by id, with the ids as one JSON parameter."""
    wanted = "IN (SELECT value FROM json_each(?))"
    if table.registry != "entity":
        return [f"{' || char(47) || '.join(table.key_columns)} {wanted}"]
    if "id" not in columns_of(connection, table.name):
        return [f"entity_id {wanted}"]
    return [f"id {wanted}", f"entity_id {wanted} AND id IS NULL"]


def select_all(connection: apsw.Connection) -> list[str] | None:
    """The statements that read all of our rows in the form for digests; None if a table lacks one of our columns."""
    for table in TABLES.values():
        present = {name.lower() for name in columns_of(connection, table.name)}
        if not present.issuperset(table.sql_names):
            return None
    return [select_text(table) for table in TABLES.values()]


def select_text(table: Table) -> str:
    """The statement that reads every row of a table as one text, which includes the table's name."""
    return f"SELECT {text_of(table.sql_names, of=table.name)} FROM {table.name}"


def _select(connection: apsw.Connection, table: Table) -> str | None:
    """The statement that reads all our columns, missing ones as NULL; None without the table or its key."""
    declared = types_of(connection, table.name)
    if not declared:
        return None
    columns = [
        reading(column.sql, column.type, declared[column.sql])
        if column.sql in declared
        else f"NULL AS {column.sql}"
        for column in table.columns
    ]
    return f"SELECT {', '.join(columns)}, rowid AS rowid FROM {table.name}"


def _rows(connection: apsw.Connection, table: Table, select: str, bindings: tuple[str, ...]) -> list[Any]:
    """The rows of a statement made by `_select`: tuples of our columns' values and, last, the row number."""
    try:
        return connection.execute(select, bindings).fetchall()
    except UnicodeDecodeError:
        return list(rows_keeping_bytes(connection, select, (*table.sql_names, "rowid"), bindings))


def digests_of(connection: apsw.Connection, versions: dict[Key, str]) -> dict[Key, str]:
    """The digests of the rows that have exactly the given versions; the others are compared by their content."""
    return {
        key: digest_row(found.values)
        for key, found in find_rows(connection, versions).items()
        if judge_row(key, found.values) == (versions[key], True)
    }
