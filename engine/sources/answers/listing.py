"""The rows of one list as records, and their changes from one read to the next."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter

import msgspec

from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key, Record
from engine.core.records.set_aside import SetAside
from engine.sources.answers.interning import Interner

ENTITIES = "entity"  # the name of the list of entities; other lists have the name of their registry


class Known(msgspec.Struct, frozen=True):
    """A record with its content hash and its key, which are costly to compute."""

    record: Record
    hash: str
    key: Key


def known_record(record: Record, values: Interner) -> Known:
    """The record with its hash and key computed, and its values shared with other records of the read."""
    values.intern(record)
    return Known(record, content_hash(record), record.key)


_key = attrgetter("key")


class Listing(Collection[Known]):
    """The rows of a list. Rows that are unchanged since the previous listing are the same objects as there."""

    def __init__(self, rows: Collection[Known] = (), set_aside: Iterable[SetAside] = ()) -> None:
        """A listing of these rows, with no known predecessor; `set_aside` are the rows that cannot be used."""
        self._rows = rows
        self.set_aside = tuple(set_aside)
        self.partly_read: Mapping[Key, frozenset[str]] = {}  # unknown fields by record
        self.name = object()
        self._base: object | None = None
        self._changes: tuple[list[Known], list[Known]] = ([], [])

    def then(self, rows: Collection[Known], added: list[Known], gone: list[Known]) -> "Listing":
        """The listing after this one, for a caller that knows what changed."""
        later = Listing(rows)
        # By its name: a reference to the previous listing would keep all earlier ones alive.
        later._base, later._changes = self.name, (added, gone)
        return later

    def changes_since(self, before: "Listing") -> tuple[list[Known], list[Known]]:
        """(added, gone) since another listing."""
        if self._base is before.name:
            return self._changes
        if not len(before):
            return list(self), []
        old = dict(zip(map(id, before), before, strict=True))
        new = dict(zip(map(id, self), self, strict=True))
        added = sorted((new[name] for name in new.keys() - old.keys()), key=_key)
        return added, sorted((old[name] for name in old.keys() - new.keys()), key=_key)

    def __contains__(self, row: object) -> bool:
        """Whether it has a row."""
        return row in self._rows

    def __iter__(self) -> Iterator[Known]:
        """Iterate over the rows."""
        return iter(self._rows)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows)
