"""The entities of a home: a list whose rows lack some fields, completed by extended rows asked for by name.

The conversation is the caller's; this holds what it comes to. One read is `take_list`, then the answers to
`get_entries` for the entity_ids it returned to `take_entries`. A list row since 2024.8 carries
`modified_at`, which every change of the entity moves, so one that is byte for byte that of last time needs
no extended row again; where one has no such stamp (older cores), all are asked for each time, and those
unchanged are not decoded.

Invariant: a record is made from an extended row whose `id` is the one that was listed under its entity_id.
If that cannot be had (the entity was renamed or removed meanwhile), the read has to begin again with the
list, because taking a renamed entity for a removed one would delete it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from engine.core.layered import with_changes
from engine.core.record import Entity
from engine.errors import SourceInvalid
from engine.sources.fingerprint import Fingerprint
from engine.sources.json_text import decode_json
from engine.sources.listing import Known, Listing, known_record
from engine.sources.registry_rows import at_position, entity_record
from engine.sources.row_map import RowMap, find_rows
from engine.sources.shared_values import SharedValues


class _ListRow(msgspec.Struct):
    """What of a list row is needed to ask for its extended row."""

    id: str
    entity_id: str
    modified_at: float | None = None


class _AliasesRow(msgspec.Struct):
    aliases: list[str | None] = []


_LIST_ROW = msgspec.json.Decoder(_ListRow)
_EXTENDED_ROWS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ALIASES_ROWS = msgspec.json.Decoder(dict[str, _AliasesRow | None])


class _Listed(msgspec.Struct, frozen=True):
    """A listed entity whose extended row is wanted."""

    id: str
    fingerprint: bytes
    row: msgspec.Raw
    position: int


class EntityRows:
    """The entities of one home, over any number of reads."""

    def __init__(self) -> None:
        self._fingerprint = Fingerprint()
        self._aliases_ordered = True
        # Of the last complete read:
        self._map: RowMap | None = None  # None if its rows have no stamps
        self._entities = Listing()
        self._by_list_row: Mapping[bytes, Known] = {}  # empty if its rows have no stamps
        self._by_extended_row: dict[bytes, Known] = {}  # empty if they have
        self._scopes: Counter[str] = Counter()  # entities in categories, by the categories' scope
        # Of the read under way:
        self._taken: RowMap | None = None
        self._kept: Mapping[bytes, Known] = {}
        self._gone: list[Known] = []  # of those known by their list rows
        self._wanted: dict[str, _Listed] = {}

    def begin(self, *, aliases_ordered: bool) -> None:
        """Begin a read. Aliases are a set before 2026.4; if that changes, nothing known counts any more."""
        if aliases_ordered != self._aliases_ordered:
            self._aliases_ordered = aliases_ordered
            self._map = None
            self._by_list_row = {}
            self._by_extended_row = {}

    def take_list(self, answer: msgspec.Raw) -> list[str]:
        """Take the answer of `config/entity_registry/list`; returns the entity_ids to ask `get_entries` for.

        Raises SourceInvalid when it is no list of entities, or names one of them twice.
        """
        known, what = self._by_list_row, "The entity list"
        found = find_rows(self._fingerprint, self._map, answer, known, what)
        self._taken, self._wanted = found.rows, {}
        self._gone = [known[fingerprint] for fingerprint in found.gone]
        self._kept = with_changes(known, {}, found.gone)
        ids: set[str] = set()
        is_stamped = True
        for fingerprint, row, position in found.fresh:
            listed = self._read_list_row(row, position)
            if listed.id in ids or listed.entity_id in self._wanted:
                raise _listed_twice(listed)
            ids.add(listed.id)
            is_stamped = is_stamped and listed.modified_at is not None
            self._wanted[listed.entity_id] = _Listed(listed.id, fingerprint, row, position)
        if len(self._kept) + len(self._wanted) != len(found.rows):
            raise _listed_twice(self._read_list_row(*_first_repeated(answer)))
        if not is_stamped:
            self._taken = None
        return list(self._wanted)

    def take_entries(self, results: Iterable[msgspec.Raw]) -> Listing | None:
        """Take the answers of `get_entries` to all that was asked for; returns the home's entities.

        Returns None when an entity was renamed or removed since it was listed: read the list again. Raises
        SourceInvalid when a row cannot be read.
        """
        entries: dict[str, msgspec.Raw] = {}
        for result in results:
            decoded = decode_json(_EXTENDED_ROWS, result, "The answer to get_entries")
            entries.update(decoded)
        if self._taken is not None and self._taken is self._map:
            return self._entities
        is_stamped = self._taken is not None
        added, by_extended_row = dict[bytes, Known](), dict[bytes, Known]()
        values = SharedValues()
        for entity_id, listed in self._wanted.items():
            row = entries.get(entity_id)
            if row is None or bytes(row) == b"null":
                return None
            if is_stamped:
                known = self._make(row, listed.position, values)
            else:
                fingerprint = self._fingerprint(row)
                known = self._by_extended_row.get(fingerprint) or self._make(row, listed.position, values)
                by_extended_row[fingerprint] = known
            if known.record.id_value != listed.id:
                return None
            added[listed.fingerprint] = known
        entities = with_changes(self._kept, added, ())
        # Where each entity was known by its list row, there is nothing to look for.
        if self._map is not None:
            later = self._entities.then(entities.values(), list(added.values()), self._gone)
        else:
            later = Listing(entities.values())
        self._map = self._taken
        self._by_list_row = entities if is_stamped else {}
        self._by_extended_row = by_extended_row
        self._take_over(later)
        return self._entities

    def _take_over(self, later: Listing) -> None:
        """Keep the very same listing where nothing changed, so that what was made of it can be kept."""
        added, gone = later.changes_since(self._entities)
        if added or gone:
            self._scopes.update(_scopes(added))
            self._scopes.subtract(_scopes(gone))
            self._entities = later

    @property
    def are_stamped(self) -> bool:
        """Whether every row of the last complete list says when its entity was modified."""
        return self._map is not None

    @property
    def category_scopes(self) -> set[str]:
        """The scopes of all categories that entities of the last complete read are in."""
        return {scope for scope, count in self._scopes.items() if count}

    def take_list_only(self) -> Listing:
        """The home's entities from their list rows alone, where there are no extended rows."""
        values = SharedValues()
        return Listing([self._make(row.row, row.position, values) for row in self._wanted.values()])

    def _make(self, row: msgspec.Raw, position: int, values: SharedValues) -> Known:
        try:
            return known_record(entity_record(row, aliases_ordered=self._aliases_ordered), values)
        except SourceInvalid as error:
            raise at_position("entity", position, error) from error

    def _read_list_row(self, row: msgspec.Raw, position: int) -> _ListRow:
        try:
            return decode_json(_LIST_ROW, row, "It")
        except SourceInvalid as error:
            raise at_position("entity", position, error) from error


def _listed_twice(row: _ListRow) -> SourceInvalid:
    return SourceInvalid(
        f"Home Assistant lists entity {row.entity_id} ({row.id}) twice.",
        "A list like this cannot be trusted, so nothing was changed; restart Home Assistant.",
    )


def _first_repeated(answer: msgspec.Raw) -> tuple[msgspec.Raw, int]:
    """A row that stands in the list again, and where first; there must be one."""
    found = find_rows(Fingerprint(), None, answer, (), "The entity list")
    counts = Counter(found.rows)
    row = next(row for row in found.fresh if counts[row.fingerprint] > 1)
    return row.data, row.position


def _scopes(entities: Iterable[Known]) -> Iterator[str]:
    return (scope for e in entities if isinstance(e.record, Entity) for scope in e.record.categories)


def aliases_look_ordered(entries: msgspec.Raw) -> bool:
    """Whether extended rows come from 2026.4 or later, told by a null among their aliases.

    A guess for recordings that do not say their version: null is the default there and unknown before.
    """
    rows = decode_json(_ALIASES_ROWS, entries, "The answer to get_entries").values()
    return any(None in row.aliases for row in rows if row is not None)
