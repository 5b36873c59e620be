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
    longer named; only the remove events' evidence is lost. A hint counts as unread until a read ends that began after it.
    """

    def __init__(self, ids_max: int = IDS_MAX) -> None:
        self._ids_max = ids_max
        self._taken = Hints()  # a read is under way for these
        self._taken_since: float | None = None  # when the first of them was added
        self._clear()

    def _clear(self) -> None:
        self._since: float | None = None
        self._relist = False
        self._registries: set[str] = set()
        self._entity_ids: set[str] = set()
        self._removed_entity_ids: set[str] = set()
        self._removed: set[Key] = set()

    def add(self, hints: Hints, at: float) -> None:
        """Add hints that came at `at` (Unix seconds)."""
        self._relist |= hints.relist
        self._registries |= hints.registries
        self._entity_ids |= hints.entity_ids
        self._removed_entity_ids |= hints.removed_entity_ids
        self._removed |= hints.removed
        since = at if self._since is None else self._since
        ids_count = max(len(self._entity_ids), len(self._removed_entity_ids), len(self._removed))
        if ids_count > self._ids_max:
            self._clear()
            self._relist = True
        self._since = since if self else None

    def take(self) -> Hints:
        """Return all unread hints, for a read that begins now."""
        self._taken |= Hints(
            self._relist,
            frozenset(self._registries),
            frozenset(self._entity_ids),
            frozenset(self._removed_entity_ids),
            frozenset(self._removed),
        )
        self._taken_since = self.unread_since
        self._clear()
        return self._taken

    def mark_read(self) -> None:
        """The read for the hints taken so far ended."""
        self._taken, self._taken_since = Hints(), None

    @property
    def unread_since(self) -> float | None:
        """When the first unread hint came, Unix seconds; None if there is none."""
        return self._since if self._taken_since is None else self._taken_since

    def __bool__(self) -> bool:
        """Whether there are hints that no read was begun for."""
        return bool(
            self._relist or self._registries or self._entity_ids or self._removed_entity_ids or self._removed
        )
