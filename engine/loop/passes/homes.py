"""Which home a replica is of: asked of all that remember it, and remembered with each pass that is not refused."""

from collections.abc import Callable, Iterable

from engine.core.guards.instance import KnownHomes, entries_among
from engine.core.records.record import Key
from engine.errors import ReplicaError
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Ledger, Replica


def known_homes(
    replica: Replica,
    ledger: Ledger,
    keys: Iterable[Key],
    on_error: Callable[[ReplicaError], None],
) -> KnownHomes:
    """What the replica, which holds rows of these keys, and the ledger know. `on_error` receives the error of a ledger that cannot be read.

    Raises ReplicaError when the replica cannot.
    """
    own = replica.home() if replica.remembers_home else frozenset[str]()
    try:
        of_ledger = ledger.home()
    except ReplicaError as error:
        on_error(error)
        of_ledger = frozenset()
    return KnownHomes(own, of_ledger, entries_among(keys))


def remember_home(replica: Replica, memory: ReplicaMemory, entry_ids: frozenset[str]) -> None:
    """Remember that the replica is of the home with these config entries. Raises ReplicaError."""
    homes = memory.homes.after(entry_ids)
    if homes is not memory.homes:
        if replica.remembers_home:
            replica.remember_home(homes.own)
        memory.homes = homes
