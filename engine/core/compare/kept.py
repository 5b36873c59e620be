"""The rows that a replica keeps because rows were set aside: not compared, not written, not deleted.

A row with an id, or an entity's row with an entity_id, protects the replica's row under that id. A row with neither
may be any record of its registry that is missing from the read, so all of those stay, except for records that Home
Assistant itself reports as gone. They cannot all be that row: the surplus is certainly wrong, and is reported.

The rows of devices that entities refer to and a read lacks stand in for them, even if nothing shows that they are ours.

The same holds for single fields: if an entity is read from its list row, the fields that this row lacks stay as they are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from engine.core.compare.stored import StoredRow
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Device, Key
from engine.core.records.record_json import canonical_fields, make_record
from engine.errors import SourceInvalid

# The registries that the derived values of other records depend on.
_DERIVED_FROM = ("device", "config_entry", "entity")
_BASES = ("device", "config_entry")

Read = Callable[[Iterable[Key]], Mapping[Key, StoredRow]]


class Kept(NamedTuple):
    """The keys that are kept, and the minimum number of them that differ from Home Assistant."""

    keys: frozenset[Key] = frozenset()
    surplus: int = 0


def kept_keys(desired: Snapshot, observed: Mapping[Key, str], wanted: Mapping[Key, str], read: Read) -> Kept:
    """The keys that a replica keeps; `observed` and `wanted` are versions, `read` returns the replica's rows."""
    if not desired.home.set_aside:
        return Kept()
    registries = {row.registry for row in desired.home.set_aside}
    absent = [
        key
        for key in observed
        if key.registry in registries
        and key not in desired.home.records
        and not desired.is_reported_gone(key)
    ]
    holders = _holders(read([key for key in absent if key.registry == "entity"]))
    kept = {key for key in desired.home.set_aside_keys if key in observed}
    unknown = Counter[str]()
    for row in desired.home.set_aside:
        known = holders.get(row.entity_id, set())
        kept |= known
        if row.key is None and not known:
            unknown[row.registry] += 1
    doubtful = {key for key in absent if key.registry in unknown and key not in kept}
    surplus = Counter(key.registry for key in doubtful) - unknown
    clashing = _clashing(kept | doubtful, desired, observed, wanted, read)
    return Kept(frozenset(kept | doubtful | clashing), surplus.total() + len(clashing))


def fill_in(desired: Snapshot, observed: Mapping[Key, str], read: Read) -> Snapshot:
    """The snapshot with unknown fields filled in from the replica; the same object if all fields are known."""
    keys = [key for key in desired.home.partly_read if key in observed]
    if not keys:
        return desired
    found = []
    for key, row in read(keys).items():
        fields = canonical_fields(desired.home.records[key])
        fields |= {name: row.fields[name] for name in desired.home.partly_read[key] if name in row.fields}
        # A value from another program that this field cannot have is not kept.
        with suppress(SourceInvalid):
            found.append(make_record(key.registry, fields))
    return desired.filled_in(found)


def foreign_bases(
    desired: Snapshot, observed: Mapping[Key, str], applied: Mapping[Key, str]
) -> frozenset[Key]:
    """Rows that we do not know to be ours, if listed records refer to one of them and this read lacks it.

    Home Assistant removes a device together with what refers to it, so the read lost it, and the ledger its row.
    """
    if applied is observed:
        return frozenset()
    strange = frozenset(
        key
        for key in observed.keys() - applied.keys()
        if key.registry in _BASES and desired.is_missing(key) and not desired.is_reported_gone(key)
    )
    if not strange:
        return strange
    home = desired.home
    owners = {Key("device", id_) for id_, count in home.entities.per_device.items() if id_ and count}
    for record in home.records.values():
        if isinstance(record, Device):
            owners.add(Key("device", record.parent_device_id or ""))
            owners.add(Key("config_entry", record.config_entry_id or ""))
    return frozenset() if owners.isdisjoint(strange) else strange


def stand_in(desired: Snapshot, kept: Kept, read: Read) -> Snapshot:
    """The snapshot, with values derived from the replica's kept rows too; the same object if it keeps none.

    So the entities of an unreadable device keep its name, and a device still counts an unreadable entity.
    """
    keys = [key for key in kept.keys if key.registry in _DERIVED_FROM and key not in desired.home.records]
    found = []
    for row in read(keys).values() if keys else ():
        with suppress(SourceInvalid):
            found.append(make_record(row.key.registry, row.fields))
    return desired.standing_in(found) if found else desired


def _holders(rows: Mapping[Key, StoredRow]) -> dict[str | None, set[Key]]:
    found: dict[str | None, set[Key]] = {}
    for key, row in rows.items():
        found.setdefault(str(row.fields.get("entity_id") or key.id), set()).add(key)
    return found


def _clashing(
    kept: set[Key], desired: Snapshot, observed: Mapping[Key, str], wanted: Mapping[Key, str], read: Read
) -> set[Key]:
    """Entities that need the entity_id of a row that stays, and those that in turn wait for theirs."""
    clashing, looked_at = set[Key](), set[Key]()
    while rows := read([k for k in kept | clashing if k.registry == "entity" and k not in looked_at]):
        looked_at |= rows.keys()
        heirs = {desired.home.entities.key_of(str(entity_id)) for entity_id in _holders(rows)}
        clashing |= {
            key
            for key in heirs
            if key is not None and key not in kept and observed.get(key) != wanted.get(key)
        }
    return clashing
