"""Hints: the records that may have changed according to Home Assistant's events. They are never data, only where to look again.

Hints add up: the hints of many events cause one read. A remove event is evidence for a delete,
but only together with a read in which the record is missing.
"""

import msgspec

from engine.core.records.record import Key


class Hints(msgspec.Struct, frozen=True):
    """Where to look again. `relist` means a full read, because something was missed or the state changed."""

    relist: bool = False
    registries: frozenset[str] = frozenset()  # to list again in full
    entity_ids: frozenset[str] = frozenset()  # entities to read again
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
        return bool(
            self.relist or self.registries or self.entity_ids or self.removed_entity_ids or self.removed
        )


# About ten megabytes including the strings. No home has as many entities.
IDS_MAX = 50_000


class GatheredHints:
    """The hints of many events, added up in place: adding one costs the same however many there are.

    Holds at most `ids_max` ids of each kind. Beyond that it requests a full read, which finds the changes that are no
    longer named; only the remove events' evidence is lost.
    """

    def __init__(self, ids_max: int = IDS_MAX) -> None:
        self._ids_max = ids_max
        self._clear()

    def _clear(self) -> None:
        self._relist = False
        self._registries: set[str] = set()
        self._entity_ids: set[str] = set()
        self._removed_entity_ids: set[str] = set()
        self._removed: set[Key] = set()

    def add(self, hints: Hints) -> None:
        """Add hints."""
        self._relist |= hints.relist
        self._registries |= hints.registries
        self._entity_ids |= hints.entity_ids
        self._removed_entity_ids |= hints.removed_entity_ids
        self._removed |= hints.removed
        ids_count = max(len(self._entity_ids), len(self._removed_entity_ids), len(self._removed))
        if ids_count > self._ids_max:
            self._clear()
            self._relist = True

    def take(self) -> Hints:
        """Return all hints added since the last call, and clear them."""
        taken = Hints(
            self._relist,
            frozenset(self._registries),
            frozenset(self._entity_ids),
            frozenset(self._removed_entity_ids),
            frozenset(self._removed),
        )
        self._clear()
        return taken

    def __bool__(self) -> bool:
        return bool(
            self._relist or self._registries or self._entity_ids or self._removed_entity_ids or self._removed
        )
