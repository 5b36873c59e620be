"""Identifies the home that a store belongs to by Home Assistant's config entries, whose ids are random and long-lived.

Each store remembers the config entries of its home, and so does the ledger. Each of these memories must share an entry
with Home Assistant's list, directly or through the other memory: one that shares none is of another home, even if the
other agrees. A home that replaces its entries one by one stays the same home, because each list shares entries with the
memory.
"""

from collections.abc import Iterable

import msgspec

from engine.core.records.record import Key

# The number of removed config entries to remember: a home that adds and removes them for ever would fill its stores.
# Forgetting matters only to a store that was absent while all of these came and went, and that store is refused.
OTHERS_MAX = 1_000
_TIMED_LENGTH = 26


class KnownHomes(msgspec.Struct, frozen=True):
    """Ids of config entries: those the replica remembers, those the ledger remembers, and those among the replica's rows."""

    own: frozenset[str] = frozenset()
    ledger: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """The number of known config entries."""
        return len(self.own | self.ledger | self.held)

    def know(self, entry_ids: frozenset[str]) -> bool:
        """Whether all memories know a home with these config entries; True if no config entry is known."""
        same, strangers = entry_ids, [ids for ids in (self.own, self.ledger) if ids]
        # One memory may lead to the other: a store that was absent knows the entries of when it last saw the home.
        while found := [ids for ids in strangers if not ids.isdisjoint(same)]:
            same = same.union(*found)
            strangers = [ids for ids in strangers if ids.isdisjoint(same)]
        # The rows count only if nothing is remembered: after a change of home they are still of both homes.
        is_held = bool(self.own) or not self.held or not self.held.isdisjoint(same)
        return not strangers and is_held

    def after(self, entry_ids: frozenset[str]) -> "KnownHomes":
        """The memory after accepting a home with these config entries; another home replaces the old memory."""
        if entry_ids <= self.own:
            return self
        return KnownHomes(own=_newest(self.own, entry_ids) if self.know(entry_ids) else entry_ids)


def _newest(known: frozenset[str], listed: frozenset[str]) -> frozenset[str]:
    """All that are listed, and the newest of the others, up to the limit."""
    # Home Assistant's ids have 26 characters and begin with their creation time; older ids are random and longer.
    others = sorted(known - listed, key=lambda id_: (len(id_) == _TIMED_LENGTH, id_))
    return listed | frozenset(others[-OTHERS_MAX:])


def entries_among(keys: Iterable[Key]) -> frozenset[str]:
    """The ids of the config entries among keys."""
    return frozenset(key.id for key in keys if key.registry == "config_entry")
