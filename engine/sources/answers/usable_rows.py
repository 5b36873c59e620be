"""The rows of one read, made into records one by one: those that cannot be are set aside, with their place."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from engine.core.records.lenient import read_object
from engine.core.records.record import Json, Record
from engine.core.records.set_aside import SetAside, UnusableRow

# A row with its place in its list, counted from 1.
Placed = tuple[int, dict[str, Json]]
# The fields to decode, and how.
Fields = Mapping[str, Callable[[msgspec.Raw], Json]]


class UsableRows:
    """Gathers what is set aside while rows are made into records."""

    def __init__(self) -> None:
        """Nothing is set aside yet."""
        self.set_aside: list[SetAside] = []

    def objects(
        self, registry: str, rows: Iterable[msgspec.Raw], only: Fields | None = None, **given: Json
    ) -> list[Placed]:
        """The rows that are objects, decoded, or of each `only` some fields.

        `given` are fields that the list knows of all its rows.
        """
        found: list[Placed] = []
        for position, row in enumerate(rows, 1):
            try:
                found.append((position, {**read_object(registry, row, only), **given}))
            except UnusableRow as error:
                self._set_aside(error, position)
        return found

    def records(self, rows: Iterable[Placed], make: Callable[[dict[str, Json]], Record]) -> list[Record]:
        """The records of decoded rows; `make` uses them up."""
        found: list[Record] = []
        for position, row in rows:
            try:
                found.append(make(row))
            except UnusableRow as error:
                self._set_aside(error, position)
        return found

    def _set_aside(self, error: UnusableRow, position: int) -> None:
        self.set_aside.append(msgspec.structs.replace(error.row, position=position))
