"""The plan: the fewest operations that make one replica equal to Home Assistant.

A plan touches no key whose versions agree and no key twice. Its order is fixed: deletes (children first),
moves, upserts (parents first), each sorted by key. Printing a plan changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from itertools import chain, groupby
from operator import attrgetter
from typing import NamedTuple

import msgspec

from engine.core.compare.diff import Cause, Diff, Difference, Kind
from engine.core.compare.stored import LABEL_FIELDS, StoredRow
from engine.core.home.derived import Derived
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Entity, Json, Key, Record
from engine.core.records.record_json import canonical_fields, field_names
from engine.core.records.registries import REGISTRIES

_registry = attrgetter("key.registry")  # of a difference
_RANK = {registry: rank for rank, registry in enumerate(REGISTRIES)}


_NONE: Mapping[Key, "Operation"] = {}


def _labels(registry: str) -> Callable[[Record], tuple[Json, ...]]:
    """A getter of the fields that may name a record. The last is repeated, because for a single one there would be no tuple."""
    names = [name for name in LABEL_FIELDS if name in field_names(registry)]
    return attrgetter(*names, names[-1])


_LABELS = {registry: _labels(registry) for registry in REGISTRIES}


class Action(StrEnum):
    """The effect of an operation on its key."""

    UPSERT = "upsert"
    DELETE = "delete"
    MOVE = "move"  # an entity's entity_id, or a device's id after the 2026.8 split, changed; the row stays


class FieldChange(msgspec.Struct, frozen=True):
    """A field in which the two sides differ; None if a side has no value."""

    name: str
    source: Json
    replica: Json


class Operation(msgspec.Struct, frozen=True):
    """One write to one key, with everything needed to carry it out, explain it and undo it."""

    action: Action
    difference: Difference
    before: StoredRow | None
    after: Record | None
    derived: Derived | None = None
    fields: tuple[FieldChange, ...] = ()
    moved_from: Key | None = None  # the key under which the row is stored so far, if it is another one
    replaces: Key | None = None  # a row that must be deleted because this entity now has its entity_id

    @property
    def key(self) -> Key:
        """The key that the operation writes."""
        return self.difference.key

    @property
    def label(self) -> str:
        """The record's name for users."""
        if self.after is None:
            return self.before.label if self.before else self.key.id
        return label_of(self.after) or self.key.id

    @property
    def entity_id(self) -> str | None:
        """The entity_id, if the record is an entity."""
        if isinstance(self.after, Entity):
            return self.after.entity_id
        found = self.before.fields.get("entity_id") if self.before else None
        return str(found) if found else None


class Plan(msgspec.Struct, frozen=True):
    """The operations on one replica, and the foreign rows that stay (unless pruned)."""

    replica: str
    operations: tuple[Operation, ...]
    foreign: tuple[StoredRow, ...]
    diff: Diff

    def of(self, action: Action) -> tuple[Operation, ...]:
        """The operations of one kind."""
        return tuple(o for o in self.operations if o.action is action)

    @property
    def fingerprint(self) -> str:
        """A digest that is equal for plans with the same effect on the same rows, whenever they were made."""
        parts = [
            (o.action, *d.key, d.desired, d.observed, o.moved_from)
            for o in self.operations
            for d in (o.difference,)
        ]
        return blake2b(msgspec.json.encode((self.replica, parts)), digest_size=16).hexdigest()


def label_of(record: Record) -> str | None:
    """A record's name for users; None if it has none."""
    for name in _LABELS[record.REGISTRY](record):
        if name:
            return str(name)
    return None


def make_plan(  # noqa: PLR0913 (what a plan rests on)
    replica: str,
    diff: Diff,
    desired: Snapshot,
    stored: Mapping[Key, StoredRow],
    *,
    with_derived: bool,
    prune_foreign: bool,
    known: Mapping[Key, Operation] = _NONE,
) -> Plan:
    """Turn differences into operations. `stored` holds the replica's row for every differing key that it has.

    `known` are the operations of the previous plan; unchanged ones are reused.
    """
    foreign = tuple(stored[d.key] for d in diff.differences if d.cause is Cause.FOREIGN)
    wanted: Sequence[Difference] = diff.differences
    if foreign and not prune_foreign:
        wanted = [d for d in wanted if d.cause is not Cause.FOREIGN]
    heirs = _split_heirs(wanted, desired) if desired.reading.splits else {}
    holders = _holders(wanted, desired, stored)
    derived: Mapping[Key, Derived] = desired.home.derived if with_derived and wanted else {}
    given = _PlanContext(desired, stored, derived, heirs, holders, known)
    is_fill = not (foreign or stored or heirs or known)
    if is_fill and (created := _creations(wanted, desired, derived)) is not None:
        return Plan(replica, created, (), diff)
    inherited = set(heirs.values())
    # Differences are sorted by key, so each group is too: thousands need not be sorted again.
    groups: dict[tuple[Action, str], list[Operation]] = {}
    for difference in wanted:
        key = difference.key
        if key not in inherited:
            operation = _operation(difference, given)
            groups.setdefault((operation.action, key.registry), []).append(operation)
    in_order = sorted(groups, key=lambda group: _rank(*group))
    operations = tuple(chain.from_iterable(groups[group] for group in in_order))
    return Plan(replica, operations, () if prune_foreign else foreign, diff)


def _creations(
    wanted: Sequence[Difference], desired: Snapshot, derived: Mapping[Key, Derived]
) -> tuple[Operation, ...] | None:
    """The plan of a first fill, which only creates; None if anything else has to be done."""
    records, upsert = desired.home.records, Action.UPSERT
    try:
        groups = {
            registry: [Operation(upsert, d, None, records[d.key], derived.get(d.key)) for d in group]
            for registry, group in groupby(wanted, key=_registry)
        }
    except KeyError:
        return None
    return tuple(chain.from_iterable(groups[registry] for registry in sorted(groups, key=_RANK.__getitem__)))


class _PlanContext(NamedTuple):
    """The inputs from which operations are made."""

    desired: Snapshot
    stored: Mapping[Key, StoredRow]
    derived: Mapping[Key, Derived]
    heirs: Mapping[Key, Key]
    holders: Mapping[Json, Key]
    known: Mapping[Key, Operation]


def _operation(difference: Difference, given: _PlanContext) -> Operation:
    desired, stored, derived, heirs, holders, known = given
    key = difference.key
    moved_from = heirs.get(key)
    before, after = stored.get(moved_from or key), desired.home.records.get(key)
    replaces = holders.get(after.entity_id) if isinstance(after, Entity) else None
    same = known.get(key)
    if (
        same is not None
        and same.before is before
        and same.after is after
        and (same.difference is difference or same.difference == difference)
        and (same.moved_from, same.replaces) == (moved_from, replaces)
        and same.derived == derived.get(key)
    ):
        return same
    if after is None:
        return Operation(Action.DELETE, difference, before, None)
    renamed = (
        isinstance(after, Entity)
        and before is not None
        and difference.kind is Kind.STALE
        and before.fields.get("entity_id") != after.entity_id
    )
    return Operation(
        action=Action.MOVE if renamed or moved_from else Action.UPSERT,
        difference=difference,
        before=before,
        after=after,
        derived=derived.get(key),
        fields=changes(before, after, derived.get(key)) if before else (),
        moved_from=moved_from,
        replaces=replaces,
    )


def changes(before: StoredRow, after: Record, derived: Derived | None) -> tuple[FieldChange, ...]:
    """Every field in which a stored row differs from its record, sorted by name.

    Fields that are not hashed are omitted, unless only those differ (a timestamp that another program changed).
    """
    new, old = canonical_fields(after), dict(before.fields)
    differing = _differing(new, old)
    counted = [c for c in differing if c.name not in after.UNHASHED]
    if derived is not None:
        counted += _differing(msgspec.to_builtins(derived), before.derived)
    return tuple(sorted(counted or differing, key=lambda change: change.name))


def _differing(new: Mapping[str, Json], old: Mapping[str, Json]) -> list[FieldChange]:
    unequal = [name for name, value in new.items() if value != old.get(name)]
    unequal += [name for name, value in old.items() if name not in new and value is not None]
    both = ((name, _plain(new.get(name)), _plain(old.get(name))) for name in unequal)
    return [FieldChange(name, source, replica) for name, source, replica in both if source != replica]


def _plain(value: Json) -> Json:
    """The value as it is after a round trip through JSON: tuples become lists."""
    return (
        value if value is None or isinstance(value, str) else msgspec.json.decode(msgspec.json.encode(value))
    )


def _holders(
    wanted: Sequence[Difference], desired: Snapshot, stored: Mapping[Key, StoredRow]
) -> dict[Json, Key]:
    """The stored entities that Home Assistant lacks, by entity_id; empty if no entity could need one of theirs."""
    if not any(d.desired is not None and d.key.registry == "entity" for d in wanted):
        return {}
    return {
        row.fields.get("entity_id"): key
        for key, row in stored.items()
        if key.registry == "entity" and key not in desired.home.records
    }


def _split_heirs(wanted: Sequence[Difference], desired: Snapshot) -> dict[Key, Key]:
    """New device -> composite device whose row it inherits, for composites that vanished in this diff."""
    missing = {d.key for d in wanted if d.kind is Kind.MISSING}
    heirs: dict[Key, Key] = {}
    for difference in wanted:
        old = difference.key
        if old.registry == "device" and difference.kind is Kind.ORPHANED:
            candidates = [Key("device", new) for new in desired.reading.splits.get(old.id, ())]
            heir = next((c for c in candidates if c in missing and c not in heirs), None)
            if heir is not None:
                heirs[heir] = old
    return heirs


def _rank(action: Action, registry: str) -> tuple[int, int]:
    rank = _RANK[registry]
    if action is Action.DELETE:
        return 0, -rank
    return (1 if action is Action.MOVE else 2), rank
