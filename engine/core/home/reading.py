"""The reading: when and from where a home was read, which parts of it, and Home Assistant's health then.

It decides whether a record that is not in the home may be deleted.
"""

from collections.abc import Mapping

import msgspec

from engine.core.home.unread import Unread
from engine.core.records.record import Key


class SourceHealth(msgspec.Struct, frozen=True):
    """Home Assistant's health while it was read; None if the kind of source cannot know it."""

    ha_version: str | None = None
    state: str | None = None  # RUNNING, STARTING, NOT_RUNNING, STOPPING, ...
    recovery_mode: bool | None = None
    corrupt_stores: tuple[str, ...] = ()  # named by storage_corruption_* repair issues or *.corrupt.* files
    unread: tuple[str, ...] = ()  # parts of its health that could not be read, each with the reason


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How one home was read: complete for the registries in `registries`, at `taken_at` (Unix seconds).

    `removed` holds keys that Home Assistant itself says are gone (its list of deleted rows, or a remove event); `splits`
    maps the id of a composite device to the ids that replaced it in 2026.8, the heir first. `unread` names the registries
    and scopes that were not read, and why.
    """

    taken_at: float
    origin: str
    registries: frozenset[str]
    health: SourceHealth = SourceHealth()
    removed: frozenset[Key] = frozenset()
    splits: Mapping[str, tuple[str, ...]] = {}
    unread: Unread = Unread()
    known_true_at: float | None = None  # up to when it has every change, if not `taken_at`
    earlier_lists: Mapping[str, float] = {}  # last listing of registries not listed at `taken_at`
    is_frozen: bool = False  # a backup: reading it again shows the same moment
    note: str | None = None  # what is odd about when it was taken

    @property
    def true_at(self) -> float:
        """The time up to which it has every change, Unix seconds.

        It is before `taken_at` if a later look at a part of the home did not cover the rest.
        """
        return self.taken_at if self.known_true_at is None else self.known_true_at

    def listed_at(self, registry: str) -> float:
        """When a registry was last read in full, Unix seconds: missing records were missed then, not later."""
        return self.earlier_lists.get(registry, self.taken_at)

    def only(self, registries: frozenset[str]) -> "Reading":
        """The reading of some registries."""
        return msgspec.structs.replace(
            self, registries=self.registries & registries, unread=self.unread.only(registries)
        )

    def with_unread_as_empty(self) -> "Reading":
        """The reading with the unread registries declared empty."""
        registries = self.registries | self.unread.registries.keys()
        return msgspec.structs.replace(self, registries=registries, unread=Unread())

    def after(
        self,
        *,
        taken_at: float,
        true_at: float | None,
        listed: frozenset[str] | None,
        removed: frozenset[Key],
    ) -> "Reading":
        """The reading of a later look that read the registries `listed` (None: all) in full; `removed` are all keys that are gone."""
        unlisted = frozenset[str]() if listed is None else self.registries - listed
        return msgspec.structs.replace(
            self,
            taken_at=taken_at,
            known_true_at=true_at,
            earlier_lists={registry: self.listed_at(registry) for registry in unlisted},
            removed=removed,
        )
