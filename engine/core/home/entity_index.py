"""An index over all entities of a home: by entity_id, and their number for each device.

Stored beside a snapshot's records and passed on from one snapshot to the next, because building it from all
entities would cost more than all other work for a small change.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import attrgetter

from engine.core.home.layered import with_changes
from engine.core.records.record import Entity, Key, Record
from engine.errors import SourceInvalid

_device_id = attrgetter("device_id")


class EntityIndex:
    """The entities of one snapshot by entity_id, and their number `per_device`, disabled ones included."""

    def __init__(self, keys: Mapping[str, Key], per_device: Counter[str | None]) -> None:
        """Takes ownership of the arguments; see `of`."""
        self._keys = keys
        self.per_device = per_device

    @classmethod
    def of(cls, records: Mapping[Key, Record]) -> "EntityIndex":
        """The index of all entities among the records. Raises SourceInvalid when two share an entity_id."""
        entities = [record for record in records.values() if isinstance(record, Entity)]
        keys = {record.entity_id: key for key, record in records.items() if isinstance(record, Entity)}
        if len(keys) != len(entities):
            holders: dict[str, Key] = {}
            second = next(e for e in entities if holders.setdefault(e.entity_id, e.key) != e.key)
            raise _held_twice(holders[second.entity_id], second)
        return cls(keys, Counter(map(_device_id, entities)))

    def key_of(self, entity_id: str) -> Key | None:
        """The key of the entity with an entity_id."""
        return self._keys.get(entity_id)

    def counting(self, others: Iterable[Entity]) -> "EntityIndex":
        """The same index, also counting entities that are not listed."""
        return EntityIndex(self._keys, self.per_device + Counter(other.device_id for other in others))

    def after(
        self, before: Mapping[Key, Record], records: Mapping[Key, Record], touched: Iterable[Key]
    ) -> "EntityIndex":
        """The index of `records`, which differ from `before` only in the keys `touched`. Raises SourceInvalid."""
        pairs = [(before.get(key), records.get(key)) for key in touched if key.registry == "entity"]
        moves = [(old, new) for old, new in pairs if _place(old) != _place(new)]
        if not moves:
            return self
        per_device = self.per_device.copy()
        olds = [old for old, _ in moves if isinstance(old, Entity)]
        news = [new for _, new in moves if isinstance(new, Entity)]
        per_device.subtract(old.device_id for old in olds)
        per_device.update(new.device_id for new in news)
        keys = with_changes(self._keys, {}, [old.entity_id for old in olds])
        added = dict[str, Key]()
        for new in news:
            _check_holder(keys.get(new.entity_id) or added.setdefault(new.entity_id, new.key), new)
        return EntityIndex(with_changes(keys, added, ()), per_device)


def _check_holder(taken: Key, entity: Entity) -> None:
    if taken != entity.key:
        raise _held_twice(taken, entity)


def _held_twice(taken: Key, entity: Entity) -> SourceInvalid:
    return SourceInvalid(f"Home Assistant lists entity_id {entity.entity_id} for {taken} and {entity.key}.")


def _place(record: Record | None) -> tuple[str | None, str | None]:
    return (record.entity_id, record.device_id) if isinstance(record, Entity) else (None, None)
