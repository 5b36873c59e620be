"""Digests of all rows that statements select, which show that nothing changed between two reads, in one process or two.

A digest is a sum over rows, so it does not depend on their order, and writing a few rows does not require reading all others.
Every function works on a connection inside a transaction that the caller holds.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain

import apsw
import xxhash

_BITS = 128
_OWN_SEED = secrets.randbits(64)  # of this process


class RowSum:
    """A digest of rows that can be updated. `seed` is random, so that a device's name cannot cause a collision on purpose."""

    def __init__(self, seed: int | None = None) -> None:
        """The digest of no rows. Without a `seed` it cannot be compared in another process."""
        self.seed = _OWN_SEED if seed is None else seed
        self.total: int | None = 0  # None: contains rows that cannot be ours

    def add(self, connection: apsw.Connection, statement: str, *bindings: str) -> None:
        """Add the rows that the statement selects, each as one text in bytes (`text_of`)."""
        self._count(1, connection, statement, bindings)

    def remove(self, connection: apsw.Connection, statement: str, *bindings: str) -> None:
        """Remove the rows that the statement selects."""
        self._count(-1, connection, statement, bindings)

    def add_texts(self, texts: Iterable[bytes]) -> None:
        """Add the rows with these texts."""
        if self.total is not None:
            self.total += sum(map(self._digest, texts))

    def add_sum(self, other: "RowSum") -> None:
        """Add the rows of another digest with the same seed."""
        assert self.seed == other.seed, "sums of different seeds cannot be combined"
        is_known = self.total is not None and other.total is not None
        self.total = (self.total or 0) + (other.total or 0) if is_known else None

    def _count(
        self, sign: int, connection: apsw.Connection, statement: str, bindings: tuple[str, ...]
    ) -> None:
        if self.total is None:
            return
        try:
            texts = chain.from_iterable(connection.execute(statement, bindings))
            self.total += sign * sum(map(self._digest, texts))
        except (apsw.SQLError, TypeError):
            self.total = None  # there is a blob

    @property
    def _digest(self) -> Callable[[bytes], int]:
        return partial(xxhash.xxh3_128_intdigest, seed=self.seed)

    def text(self) -> str | None:
        """The digest; None if the rows cannot be ours."""
        return None if self.total is None else f"{self.total % (1 << _BITS):0{_BITS // 4}x}"


def sum_rows(connection: apsw.Connection, statements: Iterable[str], seed: int | None = None) -> RowSum:
    """The digest of all rows that the statements select; without a `seed` it cannot be compared in another process."""
    found = RowSum(seed)
    for statement in statements:
        found.add(connection, statement)
    return found


def text_of(columns: Sequence[str], *, of: str = "") -> str:
    """SQL for one row as such a text, including its table's name if given; it distinguishes values of different types.

    NULL if a value is a blob: SQLite would convert binary JSON in one to text, and a byte 0 to null
    (https://www.sqlite.org/jsonb.html, seen 2026-11-29).
    """
    # The plus removes the column's affinity, with which SQLite would try to parse every time as a number.
    has_blob = " OR ".join(f"+{column} >= x''" for column in columns)
    values = ", ".join((f"'{of}'", *columns) if of else columns)
    return f"CASE WHEN {has_blob} THEN NULL ELSE CAST(json_array({values}) AS BLOB) END"
