"""Turns the rows of one read into records one by one, and sets unusable ones aside with their position."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from engine.core.records.lenient import read_object
from engine.core.records.record import Json, Record
from engine.core.records.set_aside import SetAside, UnusableRow

# A row with its position in its list, counted from 1.
Placed = tuple[int, dict[str, Json]]
# The fields to decode, and how.
Fields = Mapping[str, Callable[[msgspec.Raw], Json]]


class UsableRows:
    """Collects the rows that are set aside while the others become records."""

    def __init__(self) -> None:
        """Set nothing aside yet."""
        self.set_aside: list[SetAside] = []

    def objects(
        self, registry: str, rows: Iterable[msgspec.Raw], only: Fields | None = None, **given: Json
    ) -> list[Placed]:
        """The rows that are objects, decoded; with `only`, some fields of each.

        `given` are fields that the list gives for all its rows.
        """
        found: list[Placed] = []
        for position, row in enumerate(rows, 1):
            try:
                found.append((position, {**read_object(registry, row, only), **given}))
            except UnusableRow as error:
                self._set_aside(error, position)
        return found

    def records(self, rows: Iterable[Placed], make: Callable[[dict[str, Json]], Record]) -> list[Record]:
        """The records of decoded rows; `make` consumes the rows."""
        found: list[Record] = []
        for position, row in rows:
            try:
                found.append(make(row))
            except UnusableRow as error:
                self._set_aside(error, position)
        return found

    def _set_aside(self, error: UnusableRow, position: int) -> None:
        self.set_aside.append(msgspec.structs.replace(error.row, position=position))
