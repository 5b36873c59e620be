"""Reads rows in which another program stored text that is not UTF-8: such text stays bytes, so the row remains readable."""

# ruff: noqa: S608 (names in statements are our own columns; values are bound)

from collections.abc import Iterator, Sequence
from typing import Any

import apsw


def rows_keeping_bytes(
    connection: apsw.Connection, select: str, names: Sequence[str], bindings: Sequence[str | int] = ()
) -> Iterator[tuple[Any, ...]]:
    """The rows of a SELECT with the columns `names`; text is str, or bytes if it is not UTF-8."""
    as_bytes = ", ".join(f"CASE typeof({n}) WHEN 'text' THEN CAST({n} AS BLOB) ELSE {n} END" for n in names)
    types = ", ".join(f"typeof({n})" for n in names)
    for row in connection.execute(f"SELECT {as_bytes}, {types} FROM ({select})", bindings):
        pairs = zip(row[: len(names)], row[len(names) :], strict=True)
        yield tuple(_decoded(value) if type_ == "text" else value for value, type_ in pairs)


def _decoded(value: Any) -> str | bytes:
    assert isinstance(value, bytes)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def fetch_rows(
    connection: apsw.Connection, statement: str, names: Sequence[str], bindings: Sequence[str | int] = ()
) -> list[Any]:
    """All rows of a statement with these columns; as `rows_keeping_bytes` if some text is not UTF-8."""
    try:
        return connection.execute(statement, bindings).fetchall()
    except UnicodeDecodeError:
        return list(rows_keeping_bytes(connection, statement, names, bindings))
