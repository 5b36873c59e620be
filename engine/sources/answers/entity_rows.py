"""The entities of a home: a list whose rows lack some fields, completed by extended rows requested by entity_id.

The caller sends the commands; this keeps their results. One read is `take_list`, then `take_entries` with the answers
of `get_entries` for the entity_ids that `take_list` returned. Since 2024.8 a list row has `modified_at`, which moves with
every change of the entity, so a list row with the same bytes as last time needs no new extended row. Where a row
has no such stamp (older cores), all are requested each time, and unchanged ones are not decoded. The same holds where
rows are set aside, or refused for a reason other than their entity_id.

Invariant: a record is made from an extended row whose `id` is the one listed under its entity_id.
If there is none (the entity was renamed or removed meanwhile), the read has to start again with the
list, because mistaking a renamed entity for a removed one would delete it. An entity whose extended row is refused, or
is missing twice in a row for the same list row, is read from its list row alone; the fields that this lacks
are in the listing's `partly_read`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from operator import attrgetter

import msgspec

from engine.core.home.layered import with_changes
from engine.core.records.lenient import read_object
from engine.core.records.record import Key, Record
from engine.core.records.set_aside import SetAside, UnusableRow, listed_twice
from engine.pass_cache.learned import LearnedList
from engine.sources.answers.entity_answers import is_valid
from engine.sources.answers.interning import Interner
from engine.sources.answers.listing import ENTITIES, Known, Listing, known_record
from engine.sources.answers.registry_rows import (
    EntityListRow,
    Entries,
    entity_list_row,
    entity_list_rows,
    entity_record,
    extended_rows,
)
from engine.sources.unchanged.extended_rows import ExtendedRows
from engine.sources.unchanged.fingerprint import Fingerprint
from engine.sources.unchanged.recalled import RecalledList, learned_list
from engine.sources.unchanged.row_map import Row, RowMap, find_rows

_categories = attrgetter("record.categories")  # of known entities
# Fields of extended rows that list rows lack.
_EXTENDED = frozenset({"aliases", "capabilities", "device_class", "original_device_class", "original_icon"})


class _Listed(msgspec.Struct, frozen=True):
    """A listed entity whose extended row is needed."""

    row: Row
    fields: EntityListRow


class EntityRows:
    """The entities of one home, over any number of reads."""

    def __init__(self, fingerprint: Fingerprint | None = None, extended: ExtendedRows | None = None) -> None:
        """`extended` records every extended row, for sources where one may change without its list row."""
        self._fingerprint = fingerprint or Fingerprint()
        self._extended_rows = extended
        self._aliases_ordered = True
        # Of the last complete read:
        self._map: RowMap | None = None  # None if its rows have no stamps
        self._entities = Listing()
        self._by_list_row: Mapping[bytes, Known] = {}  # empty if its rows have no stamps
        self._by_extended_row: dict[bytes, Known] = {}  # empty if they have
        self._scopes: Counter[str] = Counter()  # entities in categories, by the categories' scope
        self._partly: dict[bytes, tuple[Key, frozenset[str]]] = {}  # by list row: the fields it lacks
        # Of the read under way:
        self._set_aside: list[SetAside] = []
        self._unanswered: set[bytes] = set()  # list rows whose extended row was requested but missing
        self._taken: RowMap | None = None
        self._kept: Mapping[bytes, Known] = {}
        self._gone: list[Known] = []  # entities known by their list rows that are no longer listed
        self._wanted: dict[str, _Listed] = {}

    def begin(self, *, aliases_ordered: bool) -> None:
        """Begin a read. Aliases are a set before 2026.4; if that changes, all that is known is dropped."""
        self._unanswered = set()
        if aliases_ordered != self._aliases_ordered:
            self._aliases_ordered = aliases_ordered
            self._forget()
            self._by_extended_row = {}

    def _forget(self) -> None:
        self._map, self._by_list_row = None, {}

    def take_list(self, answer: msgspec.Raw) -> list[str]:
        """Take the answer of `config/entity_registry/list`; returns the entity_ids to request from `get_entries`.

        Raises SourceInvalid when it is not a list.
        """
        known, what = self._by_list_row, "The entity list"
        found = find_rows(self._fingerprint, self._map, answer, known, what)
        self._gone = [known[fingerprint] for fingerprint in found.gone]
        self._kept = with_changes(known, {}, found.gone)
        if self._map is not None and len(self._kept) + len(found.fresh) != len(found.rows):
            # A row occurs twice; looking at all of them shows which.
            self._forget()
            return self.take_list(answer)
        self._taken, self._set_aside = found.rows, []
        rows = entity_list_rows(answer) if len(found.fresh) == len(found.rows) else []
        listed = list(map(_Listed, found.fresh, rows))
        if len(listed) != len(found.fresh):
            listed = [row for row in map(self._read_listed, found.fresh) if row is not None]
        self._wanted = self._asked_for(listed)
        if self._set_aside or any(one.fields.modified_at is None for one in listed):
            self._taken = None
        return list(self._wanted)

    def take_entries(
        self,
        results: Iterable[msgspec.Raw | Entries],
        refused: Collection[str] = (),
        *,
        is_final: bool = False,
    ) -> Listing | None:
        """Take the answers of `get_entries`, decoded or not, for all that was requested; returns the home's entities.

        `refused` are entity_ids for which there is no answer. Returns None when an entity was renamed or removed since it
        was listed: read the list again. If the read `is_final`, never returns None. Raises SourceInvalid when an answer
        has the wrong shape.
        """
        note = None if self._extended_rows is None else self._extended_rows.note
        as_records = note is None and self._are_known_by_list_rows
        entries = extended_rows(results, as_records=as_records, aliases_ordered=self._aliases_ordered)
        if self._taken is not None and self._taken is self._map:
            return self._entities
        added, by_extended_row = dict[bytes, Known](), dict[bytes, Known]()
        values, unanswered, partly = Interner(), set[bytes](), self._partly
        for entity_id, listed in self._wanted.items():
            row, name = entries.get(entity_id), listed.row.fingerprint
            if partly:
                partly.pop(name, None)
            known = None if row is None else self._extended(row, by_extended_row, values)
            is_elsewhere = row is None or (known is not None and known.key.id != listed.fields.id)
            if is_elsewhere and not (is_final or entity_id in refused or self._is_settled(listed)):
                unanswered.add(name)
                continue
            if known is None or is_elsewhere:
                known = self._from_list(listed, by_extended_row, values)
            if known is not None:
                added[name] = known
            if isinstance(row, msgspec.Raw) and note is not None:
                note(name, entity_id, row)
        if unanswered:
            self._unanswered |= unanswered
            return None
        self._finish(added, by_extended_row)
        return self._entities

    def are_completed_by(self, entries: Mapping[str, msgspec.Raw]) -> bool:
        """Whether these extended rows would leave every entity known by the list just taken as it is."""
        known = self._kept.keys()
        return not known or (
            self._extended_rows is not None and self._extended_rows.are_among(known, entries)
        )

    def _finish(self, added: dict[bytes, Known], by_extended_row: dict[bytes, Known]) -> None:
        has_modified_at = self._taken is not None
        entities = with_changes(self._kept, added, ())
        # Where each entity was known by its list row, there is nothing to look for.
        if self._map is not None:
            later = self._entities.then(entities.values(), list(added.values()), self._gone)
        else:
            later = Listing(entities.values())
        self._map, self._wanted = self._taken, {}  # the rows still wanted keep the whole answer in memory
        self._by_list_row = entities if has_modified_at else {}
        self._by_extended_row = by_extended_row
        self._take_over(later)
        self._partly = {name: known for name, known in self._partly.items() if name in entities}
        self._entities.set_aside = tuple(self._set_aside)
        self._entities.partly_read = dict(self._partly.values())

    def _is_settled(self, listed: _Listed) -> bool:
        """Whether another request would return the same."""
        return listed.row.fingerprint in self._unanswered or not is_valid(listed.fields.entity_id)

    @property
    def _are_known_by_list_rows(self) -> bool:
        """Whether list rows identify what is read now, so that extended rows need not be recognised."""
        return self._taken is not None and not self._by_extended_row

    def _extended(
        self, row: msgspec.Raw | Record, made: dict[bytes, Known], values: Interner
    ) -> Known | None:
        """The entity of an extended row; None when it cannot be used."""
        if isinstance(row, Record):
            return known_record(row, values)
        try:
            if self._are_known_by_list_rows:
                return self._make(row, values)
            name = self._fingerprint(row)
            known = self._by_extended_row.get(name) or self._make(row, values)
        except UnusableRow:
            return None
        if self._taken is None:
            made[name] = known
        return known

    def _from_list(self, listed: _Listed, made: dict[bytes, Known], values: Interner) -> Known | None:
        """The entity of a list row, with the fields it lacks noted; None, and set aside, when it cannot be used."""
        name, row = listed.row.fingerprint, listed.row.data
        try:
            known = self._by_extended_row.get(name) or self._make(row, values)
        except UnusableRow as error:
            self._set_row_aside(error.row, listed.row.position)
            return None
        made[name] = known
        self._partly[name] = (known.key, _EXTENDED - read_object("entity", row).keys())
        if is_valid(listed.fields.entity_id):
            # The next request may succeed, so it is made although the list row is unchanged.
            self._taken = None
        return known

    def _take_over(self, later: Listing) -> None:
        """Keep the same listing object if nothing changed, so that what was derived from it stays valid."""
        added, gone = later.changes_since(self._entities)
        if added or gone:
            self._scopes.update(_scopes(added))
            self._scopes.subtract(_scopes(gone))
            self._entities = later

    def recall(self, listed: RecalledList, *, aliases_ordered: bool, scopes: Mapping[str, int]) -> None:
        """Start from these entities only. `scopes`: the number of entities with categories of each scope."""
        self._aliases_ordered = aliases_ordered
        self._map, self._entities, self._by_list_row = listed.map, listed.listing, listed.by_row
        self._scopes = Counter(scopes)

    def learned(self) -> LearnedList | None:
        """What to keep of the last complete read; None if its rows do not identify their contents."""
        if self._map is None or self._partly or self._entities.set_aside:
            return None
        extended = self._extended_rows.keep(self._map) if self._extended_rows is not None else b""
        return learned_list(ENTITIES, "entity", self._map, self._by_list_row, extended)

    @property
    def rows(self) -> RowMap | None:
        """The rows of the last complete list; None if they do not identify their contents."""
        return self._map

    @property
    def aliases_ordered(self) -> bool:
        """Whether aliases are an ordered list rather than a set."""
        return self._aliases_ordered

    @property
    def scope_counts(self) -> dict[str, int]:
        """The number of entities of the last complete read with categories of each scope."""
        return {scope: count for scope, count in self._scopes.items() if count}

    @property
    def category_scopes(self) -> set[str]:
        """The scopes of all categories of entities in the last complete read."""
        return set(self.scope_counts)

    def take_list_only(self) -> Listing:
        """The home's entities from their list rows alone, for sources without extended rows."""
        values = Interner()
        known = (self._from_list(row, {}, values) for row in self._wanted.values())
        rows = [row for row in known if row is not None]
        return Listing(rows, self._set_aside)

    def _make(self, row: msgspec.Raw, values: Interner) -> Known:
        return known_record(entity_record(row, aliases_ordered=self._aliases_ordered), values)

    def _read_listed(self, row: Row) -> _Listed | None:
        """The fields needed to request the extended row; None, and set aside, when they are unusable."""
        try:
            return _Listed(row, entity_list_row(row.data))
        except UnusableRow as error:
            self._set_row_aside(error.row, row.position)
            return None

    def _asked_for(self, listed: list[_Listed]) -> dict[str, _Listed]:
        """The listed entities by entity_id; those that share one are set aside, because it has only one answer."""
        found = {one.fields.entity_id: one for one in listed}
        if len(found) < len(listed):
            counts = Counter(one.fields.entity_id for one in listed)
            ids = Counter(one.fields.id for one in listed)
            for one in listed:
                if counts[(entity_id := one.fields.entity_id)] > 1:
                    found.pop(entity_id, None)
                    field = "id" if ids[one.fields.id] > 1 else "entity_id"
                    aside = listed_twice("entity", field, one.fields.id, entity_id=entity_id)
                    self._set_row_aside(aside, one.row.position)
        return found

    def _set_row_aside(self, row: SetAside, position: int) -> None:
        self._set_aside.append(msgspec.structs.replace(row, position=position + 1))
        self._taken = None


def _scopes(entities: Iterable[Known]) -> Iterator[str]:
    return chain.from_iterable(map(_categories, entities))
