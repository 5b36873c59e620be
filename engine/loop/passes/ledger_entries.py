"""Which store the ledger's entries for a replica are about: they do not apply to another store.

When `records.uri` names another store, or the store is empty, its differences are not another program's changes: it is
filled, and the ledger's entries about the previous store are forgotten.
"""

from collections.abc import Mapping, Sequence

from engine.core.compare.diff import IN_PROGRESS
from engine.core.compare.plan import Operation
from engine.core.records.record import Key
from engine.errors import ReplicaError
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Ledger, Replica


class LedgerEntries:
    """The ledger's entries for a replica and their store. `place` names the store; without it the ledger records none."""

    def __init__(self, replica: Replica, ledger: Ledger, place: str | None) -> None:
        self._replica = replica
        self._ledger = ledger
        self._place = place
        self._stale = frozenset[Key]()  # entries about another store
        self._new_place: str | None = None  # to record with the next entries

    def about(self, versions: Mapping[Key, str], applied: dict[Key, str] | None) -> dict[Key, str] | None:
        """`applied` if it is about the store that holds `versions`, else empty. Raises ReplicaError."""
        # A replica that keeps the ledger is the store that contains it.
        if not applied or self._replica.keeps_ledger:
            return applied
        if versions and not self.is_elsewhere():
            return applied
        self._stale = frozenset(applied)
        return {}

    def begin(self, at: float, operations: Sequence[Operation], memory: ReplicaMemory | None) -> None:
        """Prepare for writing the operations at `at` (Unix seconds): forget the entries about another store, mark the keys
        in progress, so that the rows of an interrupted write are not taken for drift, and record the store.

        Raises ReplicaError if entries cannot be forgotten or the store recorded. A failure to mark alone does not stop the pass.
        """
        name, place = self._replica.name, self._place
        if place is not None and self._ledger.place(name) != place:
            self._new_place = place
        # A replica that keeps the ledger writes rows and ledger at once.
        marked = () if self._replica.keeps_ledger else keys_to_mark(operations, memory, self._replica)
        stale, self._stale = self._stale, frozenset()
        changed = {**dict.fromkeys(sorted(stale)), **dict.fromkeys(marked, IN_PROGRESS)}
        if not changed:
            return  # without entries, their store does not matter yet
        new_place = self.take_place()
        try:
            self._ledger.record_applied(name, changed.items(), at, place=new_place)
        except ReplicaError:
            if stale or new_place is not None:
                raise

    def take_place(self) -> str | None:
        """Return the store, if it has to be recorded with the entries now, and clear it."""
        place, self._new_place = self._new_place, None
        return place

    def is_elsewhere(self) -> bool:
        """Whether the ledger's entries are about another store. Raises ReplicaError."""
        known = self._ledger.place(self._replica.name) if self._place is not None else None
        return known is not None and known != self._place


def keys_to_mark(
    operations: Sequence[Operation], memory: ReplicaMemory | None, replica: Replica
) -> list[Key]:
    """The keys to mark as in progress, so that the rows of an interrupted write are known to be ours.

    In an exclusive replica, records that the ledger does not know are ours anyway.
    """
    keys = {key for o in operations for key in (o.key, o.moved_from) if key}
    if replica.is_exclusive and memory is not None:
        keys &= memory.applied.keys()
    return sorted(keys)
