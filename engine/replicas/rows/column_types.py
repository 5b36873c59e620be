"""Reads columns whose declared type another program changed.

SQLite converts written values to the affinity of the column's declared type, which a tool that recreates a table
may have changed: a 0 becomes 0.0 in a FLOAT column, the text "7" a number in an INTEGER column
(https://www.sqlite.org/datatype3.html#determination_of_column_affinity, seen 2026-11-28). If that lost nothing,
the value is read as it was written. Pure: makes SQL, runs none.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

# By our own type, the affinities under which SQLite leaves our values unchanged. DATETIME holds text that is not a
# number, so no affinity converts it.
_HARMLESS = {
    "INTEGER": ("INTEGER", "NUMERIC", "BLOB"),
    "BOOLEAN": ("INTEGER", "NUMERIC", "BLOB"),
    "VARCHAR": ("TEXT", "BLOB"),
    "TEXT": ("TEXT", "BLOB"),
}
_AFFINITIES = (
    ("INT", "INTEGER"),
    ("CHAR", "TEXT"),
    ("CLOB", "TEXT"),
    ("TEXT", "TEXT"),
    ("BLOB", "BLOB"),
    ("REAL", "REAL"),
    ("FLOA", "REAL"),
    ("DOUB", "REAL"),
)


def affinity(declared: str) -> str:
    """The affinity of a column with this declared type."""
    if not declared:
        return "BLOB"
    return next((found for part, found in _AFFINITIES if part in declared.upper()), "NUMERIC")


def reading(column: str, own_type: str, declared: str) -> str:
    """The SQL that reads a column of ours, whatever its declared type."""
    harmless = _HARMLESS.get(own_type)
    if harmless is None or affinity(declared) in harmless:
        return column
    return f"{whole_number(column) if own_type in ('INTEGER', 'BOOLEAN') else _text(column)} AS {column}"


def whole_number(column: str) -> str:
    """The SQL of a column's value, as an integer if it is a whole number in another type."""
    integer = f"CAST({column} AS INTEGER)"
    return (
        f"CASE WHEN typeof({column}) = 'real' AND {column} = {integer} THEN {integer}"
        f" WHEN typeof({column}) = 'text' AND {column} = CAST({integer} AS TEXT) THEN {integer}"
        f" ELSE {column} END"
    )


def _text(column: str) -> str:
    is_number = f"typeof({column}) IN ('integer', 'real')"
    return f"CASE WHEN {is_number} THEN CAST({whole_number(column)} AS TEXT) ELSE {column} END"


def patched_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Decode rows that were read as bytes. Omits rows with a key that is not UTF-8, which could not be requested."""
    patched = []
    for key, *values in rows:
        with suppress(UnicodeDecodeError):
            texts = (v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values)
            patched.append((key.decode(), *texts))
    return patched
