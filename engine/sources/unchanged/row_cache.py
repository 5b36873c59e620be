"""Records of rows that were read before, found again by the bytes they were made from.

A home hardly changes between two reads, so most answers, and nearly all rows of the others, are the bytes of
last time. Those are neither decoded nor hashed again. Nothing here outlives the process, and nothing keeps
an answer's bytes: only fingerprints, records and hashes.

Invariant: what is returned depends on the answer alone; a cache only makes it faster. A row's record depends
on its bytes and on the name it is kept under, so whatever else it depends on must be in that name.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from engine.core.home.record import Record
from engine.core.home.set_aside import SetAside, UnusableRow
from engine.sources.answers.interning import SharedValues
from engine.sources.answers.listing import Known, Listing, known_record
from engine.sources.unchanged.fingerprint import Fingerprint
from engine.sources.unchanged.row_map import RowMap, find_rows


class _List(NamedTuple):
    map: RowMap | None
    rows: Listing
    by_row: dict[bytes, Known | SetAside]


_NO_LIST = _List(None, Listing(), {})


class RowCache:
    """The lists of last time, each under a name."""

    def __init__(self) -> None:
        self._fingerprint = Fingerprint()
        self._lists: dict[str, _List] = {}

    def records(self, name: str, answer: msgspec.Raw, make: Callable[[msgspec.Raw], Record]) -> Listing:
        """The records of a list result, in its order; `make` turns a row that is new into a record.

        Rows that cannot be made into one are set aside. Raises SourceInvalid with the name when it is no list.
        """
        last = self._lists.get(name, _NO_LIST)
        known = last.by_row
        found = find_rows(self._fingerprint, last.map, answer, known, f"The {name} list")
        if found.rows is last.map:
            return last.rows
        made: dict[bytes, Known | SetAside] = {}
        values = SharedValues()
        for fingerprint, row, _ in found.fresh:
            try:
                made[fingerprint] = known_record(make(row), values)
            except UnusableRow as error:
                made[fingerprint] = error.row
        rows = [made.get(fingerprint) or known[fingerprint] for fingerprint in found.rows]
        by_row = dict(zip(found.rows, rows, strict=True))
        usable = [row for row in rows if isinstance(row, Known)]
        set_aside = (
            [replace(row, position=nth) for nth, row in enumerate(rows, 1) if isinstance(row, SetAside)]
            if len(usable) < len(rows)
            else ()
        )
        self._lists[name] = _List(found.rows, Listing(usable, set_aside), by_row)
        return self._lists[name].rows
