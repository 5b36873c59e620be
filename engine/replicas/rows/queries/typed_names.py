"""Finds records for shell completion: by the beginning of their key, entity_id, id or name.

It reads the file once, does not wait and leaves no trace beside it. Values other than text are not names.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns; values are bound)

from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw

from engine.core.records.registries import BY_NAME, Registry
from engine.replicas.rows.schema import columns_of
from engine.replicas.sqlite_file.database import ApswFile, FileAccess

# The first that is not empty describes a record beside its other names.
_NAMES = ("effective_name", "name_by_user", "name", "original_name", "title")


def find_typed_names(path: Path, begun: str) -> Mapping[str, str]:
    """The completions of `begun`, each with another name of its record; empty for an absent file. Raises ReplicaError."""
    file = ApswFile("sqlite", path, access=FileAccess.IN_PLACE, busy_timeout_seconds=0.0)
    try:
        with file.reading() as connection:
            return dict(_found(connection, begun))
    finally:
        file.close()


def _found(connection: apsw.Connection, begun: str) -> Iterator[tuple[str, str]]:
    name, slash, id_ = begun.partition("/")
    if slash and name in BY_NAME:
        for key, called, *_ in _rows(connection, BY_NAME[name], id_, ids_only=True):
            yield f"{name}/{key}", called
        return
    for registry in BY_NAME.values():
        for row in _rows(connection, registry, begun, ids_only=False):
            called = row[1]
            for word in row if begun else row[2:3]:
                if word and word.startswith(begun):
                    yield word, "" if word == called else called


def _rows(
    connection: apsw.Connection, registry: Registry, begun: str, *, ids_only: bool
) -> Iterator[tuple[str, ...]]:
    """(id, name, entity_id, other names ...) of the rows in which one of these begins so; missing ones are ''."""
    present = {column.lower() for column in columns_of(connection, registry.table)}
    if not present.issuperset(registry.key):
        return
    id_ = " || '/' || ".join(registry.key)
    names = [name for name in _NAMES if name in present]
    called = f"coalesce({', '.join([f'nullif({name}, {chr(39) * 2})' for name in names] + ['NULL'] * 2)})"
    entity_id = "entity_id" if "entity_id" in present else "NULL"
    columns = [id_, called, entity_id, *names]
    asked = [id_] if ids_only else columns
    begins = " OR ".join(f"substr({column}, 1, ?) = ?" for column in asked)
    # As bytes, because another program's text may not be UTF-8.
    values = ", ".join(
        f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) END" for column in columns
    )
    statement = f"SELECT {values} FROM {registry.table} WHERE {begins}"
    for row in connection.execute(statement, (len(begun), begun) * len(asked)):
        found = tuple(bytes(value or b"").decode("utf-8", "replace") for value in row)
        if found[0]:
            yield found
