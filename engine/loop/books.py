"""Whose books they are: what the ledger says of a replica is about one store, and says nothing about another.

When `records.uri` names another store, or the store stands empty, nothing in it was changed behind our back: it is
filled, and what the ledger remembers of the store before is forgotten.
"""

from collections.abc import Mapping
from typing import cast

from engine.core.home.record import Key
from engine.ports import Ledger, PlaceBook, Replica


class Books:
    """The ledger's memory of where replicas are. `places` name the stores, by replica; without one it is not told."""

    def __init__(self, ledger: Ledger, places: Mapping[str, str]) -> None:
        self._ledger = ledger
        self._places = places
        self._stale: dict[str, frozenset[Key]] = {}  # what is booked of another store, by replica

    def about(
        self, replica: Replica, versions: Mapping[Key, str], applied: dict[Key, str] | None
    ) -> dict[Key, str] | None:
        """`applied` if it is about the store that holds `versions`, else nothing. Raises ReplicaError."""
        # The replica that is the ledger is the store that the books are in.
        if not applied or cast("object", replica) is self._ledger:
            return applied
        if versions and not self._is_elsewhere(replica.name):
            return applied
        self._stale[replica.name] = frozenset(applied)
        return {}

    def begin(self, replica: str, at: float) -> None:
        """Before a replica is written: forget what was booked of another store, and note which one this is."""
        stale = self._stale.pop(replica, None)
        if stale:
            self._ledger.settle(replica, [(key, None) for key in sorted(stale)], at)
        place = self._places.get(replica)
        ledger = self._ledger
        if place is not None and isinstance(ledger, PlaceBook) and ledger.place(replica) != place:
            ledger.note_place(replica, place)

    def _is_elsewhere(self, replica: str) -> bool:
        place, ledger = self._places.get(replica), self._ledger
        known = ledger.place(replica) if place is not None and isinstance(ledger, PlaceBook) else None
        return known is not None and known != place
