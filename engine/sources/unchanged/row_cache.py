"""Finds the records of rows that were read before by the rows' bytes.

A home hardly changes between two reads, so most answers, and nearly all rows of the others, have the same bytes as
last time. Those are neither decoded nor hashed again. No answer's bytes are kept, only fingerprints, records
and hashes, which the next process may start with (`recalled`).

Invariant: the result depends on the answer alone; a cache only makes it faster. A row's record depends
on its bytes and on the name it is kept under, so that name must contain everything else it depends on.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, cast

import msgspec
from msgspec.structs import replace

from engine.core.home.layered import with_changes
from engine.core.home.lazy_mappings import LazySequence
from engine.core.records.record import Record
from engine.core.records.set_aside import SetAside, UnusableRow
from engine.pass_cache.learned import LearnedList
from engine.sources.answers.interning import Interner
from engine.sources.answers.listing import Known, Listing, known_record
from engine.sources.unchanged.fingerprint import Fingerprint
from engine.sources.unchanged.recalled import RecalledList, learned_list
from engine.sources.unchanged.row_map import Found, RowMap, find_rows


class _List(NamedTuple):
    map: RowMap | None
    rows: Listing
    by_row: Mapping[bytes, Known | SetAside]
    registry: str = ""


_NO_LIST = _List(None, Listing(), {})


class RowCache:
    """The previous lists, each under a name."""

    def __init__(self, fingerprint: Fingerprint | None = None) -> None:
        """Start without anything known."""
        self._fingerprint = fingerprint or Fingerprint()
        self._lists: dict[str, _List] = {}

    def records(
        self, name: str, answer: msgspec.Raw, make: Callable[[msgspec.Raw], Record], registry: str = ""
    ) -> Listing:
        """The records of a list result, in its order; `make` turns a row that is new into a record.

        Rows that cannot become one are set aside. Raises SourceInvalid with the name when it is not a list.
        """
        last = self._lists.get(name, _NO_LIST)
        known = last.by_row
        found = find_rows(self._fingerprint, last.map, answer, known, f"The {name} list")
        if found.rows is last.map:
            return last.rows
        made: dict[bytes, Known | SetAside] = {}
        values = Interner()
        for row in found.fresh:
            try:
                made[row.fingerprint] = known_record(make(row.data), values)
            except UnusableRow as error:
                made[row.fingerprint] = error.row
        by_row = with_changes(known, made, found.gone)
        rows = self._follow(last, found, made, by_row) or _all_rows(found.rows, by_row)
        self._lists[name] = _List(found.rows, rows, by_row, registry or name)
        return rows

    def _follow(
        self,
        last: _List,
        found: Found,
        made: Mapping[bytes, Known | SetAside],
        by_row: Mapping[bytes, Known | SetAside],
    ) -> Listing | None:
        """The rows, made from the previous ones and the changes; None if each has to be looked at."""
        added = [row for row in made.values() if isinstance(row, Known)]
        if last.map is None or last.rows.set_aside or len(added) < len(made):
            return None
        if len(by_row) != len(found.rows) or len(last.by_row) != len(last.map):
            return None  # a row occurs twice
        names = list(found.rows)
        rows = LazySequence(len(names), lambda nth: by_row[names[nth]])
        gone = [last.by_row[fingerprint] for fingerprint in found.gone]
        # None of them is set aside, as just checked.
        return last.rows.then(cast("LazySequence[Known]", rows), added, cast("list[Known]", gone))

    def recall(self, lists: Iterable[RecalledList]) -> None:
        """Take over these lists."""
        for listed in lists:
            known = listed.known
            self._lists[known.name] = _List(listed.map, listed.listing, listed.by_row, known.registry)

    def maps(self, names: Iterable[str]) -> dict[str, RowMap | None]:
        """The rows that these lists had last."""
        return {name: self._lists[name].map for name in names}

    def learned(self, names: Iterable[str]) -> list[LearnedList]:
        """What to keep of these lists; none of them may have rows that were set aside."""
        return [
            learned_list(name, listed.registry, listed.map, cast("Mapping[bytes, Known]", listed.by_row))
            for name in names
            if (listed := self._lists[name]).map is not None
        ]


def _all_rows(names: RowMap, by_row: Mapping[bytes, Known | SetAside]) -> Listing:
    rows = [by_row[name] for name in names]
    usable = [row for row in rows if isinstance(row, Known)]
    set_aside = (
        [replace(row, position=nth) for nth, row in enumerate(rows, 1) if isinstance(row, SetAside)]
        if len(usable) < len(rows)
        else ()
    )
    return Listing(usable, set_aside)
