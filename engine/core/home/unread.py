"""The parts that a read of Home Assistant left out, so that a missing registry is not mistaken for an empty one.

A registry whose file is missing, or whose list the core does not know, was not read: nothing is known about its
records. The same holds for the categories of a scope that was not requested.
"""

from collections.abc import Mapping

import msgspec

from engine.core.records.record import Key


class Unread(msgspec.Struct, frozen=True):
    """The registries that were not read, each with the reason, and the scopes whose categories were read."""

    registries: Mapping[str, str] = {}
    scopes: frozenset[str] | None = None  # None: all there are

    def leaves_out(self, key: Key) -> bool:
        """Whether the read left out the part that would contain this key."""
        if key.registry in self.registries:
            return True
        return (
            key.registry == "category"
            and self.scopes is not None
            and key.id.partition("/")[0] not in self.scopes
        )

    def only(self, registries: frozenset[str]) -> "Unread":
        """The part that concerns some registries."""
        return Unread({r: why for r, why in self.registries.items() if r in registries}, self.scopes)
