"""Which home a store belongs to, by Home Assistant's config entries: their ids are random and live long.

A store remembers the config entries it ever saw of its home, and so does the ledger. All that remember must agree
with what Home Assistant lists: one that knows only strangers is of another home, whatever the others say. A home
that replaces its entries one by one stays the same home, because each list has something in common with the memory.
"""

from collections.abc import Iterable

import msgspec

from engine.core.records.record import Key

# So many config entries that are gone are remembered: a home in which they come and go for ever would fill its stores
# with them. What is forgotten is missed only by a store that was away while all of these came and went, and that is refused.
OTHERS_MAX = 1_000
_TIMED_LENGTH = 26


class KnownHomes(msgspec.Struct, frozen=True):
    """Ids of config entries: what the replica remembers, what the ledger does, and what the replica holds."""

    own: frozenset[str] = frozenset()
    ledger: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """How many config entries are known."""
        return len(self.own | self.ledger | self.held)

    def know(self, entry_ids: frozenset[str]) -> bool:
        """Whether a home with these config entries is the one that all of them know; True where none is known."""
        same, strangers = entry_ids, [ids for ids in (self.own, self.ledger) if ids]
        # One memory may lead to the other: a store that was away knows what the home had when it last saw it.
        while found := [ids for ids in strangers if not ids.isdisjoint(same)]:
            same = same.union(*found)
            strangers = [ids for ids in strangers if ids.isdisjoint(same)]
        # What is held counts where nothing is remembered: after a change of home it is still of both.
        is_held = bool(self.own) or not self.held or not self.held.isdisjoint(same)
        return not strangers and is_held

    def after(self, entry_ids: frozenset[str]) -> "KnownHomes":
        """What is known once a home with these config entries was accepted; another home replaces what was known."""
        if entry_ids <= self.own:
            return self
        return KnownHomes(own=_newest(self.own, entry_ids) if self.know(entry_ids) else entry_ids)


def _newest(known: frozenset[str], listed: frozenset[str]) -> frozenset[str]:
    """All that are listed, and of the others as many as are kept, the newest."""
    # Home Assistant's ids begin with the time at which they were made, in 26 characters; older ones are random and longer.
    others = sorted(known - listed, key=lambda id_: (len(id_) == _TIMED_LENGTH, id_))
    return listed | frozenset(others[-OTHERS_MAX:])


def entries_among(keys: Iterable[Key]) -> frozenset[str]:
    """The ids of the config entries among keys."""
    return frozenset(key.id for key in keys if key.registry == "config_entry")
