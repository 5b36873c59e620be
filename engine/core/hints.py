"""Hints: what Home Assistant's events say may have changed. They are never data, only where to look again.

Hints add up: those of many events are read once. What an event says was removed is evidence for a delete,
but only together with a read in which it is missing.
"""

import msgspec

from engine.core.record import Key


class Hints(msgspec.Struct, frozen=True):
    """Where to look again. `relist` asks for everything, because something was missed or the state changed."""

    relist: bool = False
    registries: frozenset[str] = frozenset()  # to be listed again in full
    entity_ids: frozenset[str] = frozenset()  # entities to be read again
    removed_entity_ids: frozenset[str] = frozenset()
    removed: frozenset[Key] = frozenset()

    def __or__(self, other: "Hints") -> "Hints":
        """Both together."""
        return Hints(
            self.relist or other.relist,
            self.registries | other.registries,
            self.entity_ids | other.entity_ids,
            self.removed_entity_ids | other.removed_entity_ids,
            self.removed | other.removed,
        )

    def __bool__(self) -> bool:
        return self != Hints()
