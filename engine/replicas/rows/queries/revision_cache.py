"""A bounded cache of results from the rows file that are valid for one revision."""

from collections.abc import Hashable
from typing import Final, TypeVar

import apsw

from engine.replicas.rows.schema import columns_of

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

COUNTS_MAX: Final = 256  # totals
ASKED_MAX: Final = 1000  # characters of the filters of a total
ORDERS_MAX: Final = 4  # orders of all keys of a registry


class RevisionCache:
    """The cached results of one revision; the queries fill it."""

    def __init__(self) -> None:
        self.counts: dict[tuple[object, ...], int] = {}
        self.selects: dict[tuple[str, ...], str] = {}
        self.texts: dict[str, dict[str, str]] = {}
        self.keys: dict[tuple[str, str | None], list[str]] = {}
        self.facets: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self.has_bad_text = False
        self._columns: dict[str, tuple[str, ...]] = {}

    def columns_of(self, connection: apsw.Connection, table: str) -> tuple[str, ...]:
        """The names of a table's columns; empty if there is no such table."""
        if table not in self._columns:
            self._columns[table] = columns_of(connection, table)
        return self._columns[table]


def remember(kept: dict[K, V], asked: K, found: V, most: int) -> None:
    """Add a result to the cache; if it is full, clear it first."""
    if len(kept) >= most:
        kept.clear()
    kept[asked] = found
