"""Which store the ledger's entries for a replica are about: they say nothing about another store.

When `records.uri` names another store, or the store is empty, nothing in it was changed behind our back: it is
filled, and what the ledger remembers of the store before is forgotten.
"""

from collections.abc import Mapping, Sequence

from engine.core.compare.diff import IN_PROGRESS
from engine.core.compare.plan import Operation
from engine.core.records.record import Key
from engine.errors import ReplicaError
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Ledger, Replica


class LedgerEntries:
    """The ledger's memory of where a replica is. `place` names its store; without it the ledger does not note one."""

    def __init__(self, replica: Replica, ledger: Ledger, place: str | None) -> None:
        self._replica = replica
        self._ledger = ledger
        self._place = place
        self._stale = frozenset[Key]()  # what is booked of another store
        self._new_place: str | None = None  # to be noted with the next entries

    def about(self, versions: Mapping[Key, str], applied: dict[Key, str] | None) -> dict[Key, str] | None:
        """`applied` if it is about the store that holds `versions`, else nothing. Raises ReplicaError."""
        # A replica that keeps the ledger is the store that the ledger is in.
        if not applied or self._replica.keeps_ledger:
            return applied
        if versions and not self.is_elsewhere():
            return applied
        self._stale = frozenset(applied)
        return {}

    def begin(self, at: float, operations: Sequence[Operation], memory: ReplicaMemory | None) -> None:
        """Call before the operations are written, at `at` (Unix seconds): forget what was booked of another store, mark what is
        being written, so that what a write leaves that is cut off is taken for no drift, and note which store this is.

        Raises ReplicaError where something has to be forgotten or noted. Marks alone hold nothing back.
        """
        name, place = self._replica.name, self._place
        if place is not None and self._ledger.place(name) != place:
            self._new_place = place
        # A replica that keeps the ledger writes rows and ledger at once.
        marked = () if self._replica.keeps_ledger else keys_to_mark(operations, memory, self._replica)
        stale, self._stale = self._stale, frozenset()
        changed = {**dict.fromkeys(sorted(stale)), **dict.fromkeys(marked, IN_PROGRESS)}
        if not changed:
            return  # without entries it does not matter yet which store they are about
        new_place = self.take_place()
        try:
            self._ledger.record_applied(name, changed.items(), at, place=new_place)
        except ReplicaError:
            if stale or new_place is not None:
                raise

    def take_place(self) -> str | None:
        """The store, if it is to be noted with the entries that are recorded now."""
        place, self._new_place = self._new_place, None
        return place

    def is_elsewhere(self) -> bool:
        """Whether the ledger says that its entries are about another store. Raises ReplicaError."""
        known = self._ledger.place(self._replica.name) if self._place is not None else None
        return known is not None and known != self._place


def keys_to_mark(
    operations: Sequence[Operation], memory: ReplicaMemory | None, replica: Replica
) -> list[Key]:
    """What is to be marked as being written, so that what a write leaves that is cut off is known to be ours.

    In an exclusive replica a record that the ledger does not know is ours anyway.
    """
    keys = {key for o in operations for key in (o.key, o.moved_from) if key}
    if replica.is_exclusive and memory is not None:
        keys &= memory.applied.keys()
    return sorted(keys)
