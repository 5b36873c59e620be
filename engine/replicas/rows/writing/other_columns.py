"""Other programs' columns in our tables: saved when a row is deleted, restored when it returns."""

# ruff: noqa: S608 (names in statements are our own tables and columns, or quoted; values are bound)

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

import apsw

from engine.core.records.record import Json, Key
from engine.replicas.rows.columns import TABLES, Table, Value
from engine.replicas.rows.reader import FoundRow
from engine.replicas.rows.schema import columns_of

_BYTES = "base64"


def read_others(
    connection: apsw.Connection, registry: str, rows: Sequence[FoundRow]
) -> dict[Key, dict[str, Json]]:
    """The values, except NULL, of all columns that are not ours; JSON, with bytes as {"base64": text}."""
    table = TABLES[registry]
    names = _other_names(connection, table)
    if not names:
        return {}
    # As bytes, because text in another program's column may not be UTF-8.
    columns = ", ".join(
        f"typeof({c}), CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END"
        for c in map(_quote, names)
    )
    statement = f"SELECT {columns} FROM {table.name} WHERE rowid = ?"
    others = {}
    found = connection.executemany(statement, [(row.rowid,) for row in rows])
    for row, values in zip(rows, found, strict=True):
        pairs = zip(names, values[::2], values[1::2], strict=True)
        others[row.key] = {name: _to_json(type_, value) for name, type_, value in pairs if value is not None}
    return others


def write_others(connection: apsw.Connection, row: FoundRow, others: Mapping[str, Json]) -> None:
    """Restore values in those columns of a row that still exist."""
    table = TABLES[row.key.registry]
    present = set(_other_names(connection, table))
    names = [name for name in others if name in present]
    if names:
        settings = ", ".join(f"{_quote(name)} = ?" for name in names)
        values = [_from_json(others[name]) for name in names]
        connection.execute(f"UPDATE {table.name} SET {settings} WHERE rowid = ?", (*values, row.rowid))


def _other_names(connection: apsw.Connection, table: Table) -> tuple[str, ...]:
    return tuple(name for name in columns_of(connection, table.name) if name.lower() not in table.indexes)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _to_json(type_: Value, value: Value) -> Json:
    if not isinstance(value, bytes):
        return value
    if type_ == "text":
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {_BYTES: b64encode(value).decode()}


def _from_json(value: Json) -> Value:
    if isinstance(value, dict):
        return b64decode(value[_BYTES])
    kept: Value = value
    return kept
