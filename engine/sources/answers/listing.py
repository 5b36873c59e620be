"""The rows of one list, made into records, and what changed of them from one read to the next."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import NamedTuple

from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key, Record
from engine.core.records.set_aside import SetAside
from engine.sources.answers.interning import Interner

ENTITIES = "entity"  # the name of the list of entities; other lists are called by their registry, too


class Known(NamedTuple):
    """A record, its content hash, and its key, which is not cheap to ask for."""

    record: Record
    hash: str
    key: Key


def known_record(record: Record, values: Interner) -> Known:
    """A record with its hash and key computed, and its values shared with others of its read."""
    values.intern(record)
    return Known(record, content_hash(record), record.key)


_key = attrgetter("key")


class Listing(Collection[Known]):
    """Rows of which those that did not change since the listing before are the very same objects."""

    def __init__(self, rows: Collection[Known] = (), set_aside: Iterable[SetAside] = ()) -> None:
        """A listing of which nothing is known but its rows, and which others are set aside."""
        self._rows = rows
        self.set_aside = tuple(set_aside)
        self.partly_read: Mapping[Key, frozenset[str]] = {}  # fields that are not known of a record
        self.name = object()
        self._base: object | None = None
        self._changes: tuple[list[Known], list[Known]] = ([], [])

    def then(self, rows: Collection[Known], added: list[Known], gone: list[Known]) -> "Listing":
        """The listing after this one, for a caller that knows what changed."""
        later = Listing(rows)
        # By its name, because to hold the listing before would be to hold every one there ever was.
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
        """Go through the rows."""
        return iter(self._rows)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)
