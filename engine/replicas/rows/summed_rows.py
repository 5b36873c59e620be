"""The digest of all rows, updated with each write: it shows that nothing else changed without comparing each row's content.

It is only a cache of one read: it is valid as long as no other program writes, which its owner checks. It does not follow
changes that triggers make to other rows, so comparing the digest reveals them.
"""

from collections.abc import Iterable, Mapping

import apsw
import msgspec

from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.reader import FoundRow, has_rows, select_all, select_text
from engine.replicas.sqlite_file.database import ApswFile
from engine.replicas.sqlite_file.digests import RowSum, sum_rows


class SummedRows:
    """The digest as of the last read, if any. Every method works inside a transaction that the caller holds."""

    def __init__(self) -> None:
        """Holds no digest yet."""
        self._sum: RowSum | None = None
        self._left: set[tuple[str, int]] = set()  # rows removed in the current transaction

    def forget(self) -> None:
        """Discard the digest."""
        self._sum = None

    def digest(
        self, connection: apsw.Connection, file: ApswFile, seed: int | None, *, reread: bool
    ) -> str | None:
        """The digest of all rows of the file. See `Replica.digest`."""
        if reread:
            file.note_seen()
        elif not file.is_as_seen():
            return None
        elif (known := self.known(seed)) is not None:
            return known
        return self.look(connection, seed)

    def look(self, connection: apsw.Connection, seed: int | None) -> str | None:
        """Read all rows and remember their digest; None if they cannot be ours."""
        statements = select_all(connection)
        self._sum = None if statements is None else sum_rows(connection, statements, seed)
        return self.known(seed)

    def known(self, seed: int | None) -> str | None:
        """The remembered digest; None if there is none, or none with the given seed."""
        is_fit = self._sum is not None and seed in (None, self._sum.seed)
        return self._sum.text() if self._sum is not None and is_fit else None

    def is_true(self, connection: apsw.Connection) -> bool:
        """Whether the rows in the file have the remembered digest."""
        statements = select_all(connection) if self._sum is not None else None
        if self._sum is None or statements is None or self._sum.text() is None:
            return False
        return sum_rows(connection, statements, self._sum.seed).text() == self._sum.text()

    def taken(self) -> "SummedRows":
        """Move the digest to a new object, for a transaction that changes it; this one is empty afterwards."""
        taken = SummedRows()
        taken._sum, self._sum = self._sum, None
        return taken

    def leave(self, connection: apsw.Connection, rows: Iterable[FoundRow]) -> None:
        """Remove rows that are about to be changed or deleted. A row may be named twice."""
        if self._sum is not None:
            for registry, numbers in _row_numbers(rows).items():
                fresh = {number for number in numbers if (registry, number) not in self._left}
                self._sum.remove(connection, *_select_texts(registry, fresh))
                self._left.update((registry, number) for number in fresh)

    def come(self, connection: apsw.Connection, rows: Iterable[FoundRow]) -> None:
        """Add rows that have been written."""
        if self._sum is not None:
            for registry, numbers in _row_numbers(rows).items():
                self._sum.add(connection, *_select_texts(registry, numbers))

    @property
    def seed(self) -> int | None:
        """The seed of the remembered digest; None if there is none."""
        return None if self._sum is None else self._sum.seed

    def fill(self, connection: apsw.Connection, filled: Mapping[str, RowSum]) -> None:
        """Add the rows of tables that were empty, by registry. They are all rows if no other table has any."""
        known = self._sum
        if known is None and not any(has_rows(connection, registry) for registry in TABLES.keys() - filled):
            known = RowSum(next(iter(filled.values())).seed)
        if known is not None:
            for rows in filled.values():
                known.add_sum(rows)
        self._sum = known


def _row_numbers(rows: Iterable[FoundRow]) -> dict[str, set[int]]:
    numbers: dict[str, set[int]] = {}
    for row in rows:
        numbers.setdefault(row.key.registry, set()).add(row.rowid)
    return numbers


def _select_texts(registry: str, numbers: set[int]) -> tuple[str, str]:
    """The statement that reads these rows in the form for digests, and its binding."""
    among = " WHERE rowid IN (SELECT value FROM json_each(?))"
    return select_text(TABLES[registry]) + among, msgspec.json.encode(sorted(numbers)).decode()
