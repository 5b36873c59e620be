"""What is asked of all entities of a home at once: who bears an entity_id, how many a device has.

Kept beside a snapshot's records and carried from one snapshot to the next, because looking through all
entities for it would cost more than everything else that a small change does.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from engine.core.record import Entity, Key, Record
from engine.errors import SourceInvalid


class EntityIndex:
    """The entities of one snapshot by entity_id, and their number `per_device`, disabled ones included."""

    def __init__(self, keys: dict[str, Key], per_device: Counter[str | None]) -> None:
        """Takes what it is given; see `of`."""
        self._keys = keys
        self.per_device = per_device

    @classmethod
    def of(cls, records: Mapping[Key, Record]) -> "EntityIndex":
        """The index of all entities among the records. Raises SourceInvalid when two have one entity_id."""
        entities = [(key, record) for key, record in records.items() if isinstance(record, Entity)]
        keys = {entity.entity_id: key for key, entity in entities}
        if len(keys) != len(entities):
            keys = {}
            for _, entity in entities:
                _add(keys, entity)
        return cls(keys, Counter(entity.device_id for _, entity in entities))

    def key_of(self, entity_id: str) -> Key | None:
        """The key of the entity that bears an entity_id."""
        return self._keys.get(entity_id)

    def after(
        self, before: Mapping[Key, Record], records: Mapping[Key, Record], touched: Iterable[Key]
    ) -> "EntityIndex":
        """The index of `records`, which differ from `before` in the keys `touched` only. Raises SourceInvalid."""
        pairs = [(before.get(key), records.get(key)) for key in touched if key.registry == "entity"]
        moves = [(old, new) for old, new in pairs if _place(old) != _place(new)]
        if not moves:
            return self
        keys, per_device = self._keys.copy(), self.per_device.copy()
        for old, _ in moves:
            if isinstance(old, Entity):
                per_device[old.device_id] -= 1
                del keys[old.entity_id]
        for _, new in moves:
            if isinstance(new, Entity):
                per_device[new.device_id] += 1
                _add(keys, new)
        return EntityIndex(keys, per_device)


def _add(keys: dict[str, Key], entity: Entity) -> None:
    taken = keys.setdefault(entity.entity_id, entity.key)
    if taken != entity.key:
        raise SourceInvalid(
            f"Home Assistant lists entity_id {entity.entity_id} for {taken} and {entity.key}."
        )


def _place(record: Record | None) -> tuple[str | None, str | None]:
    return (record.entity_id, record.device_id) if isinstance(record, Entity) else (None, None)
