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


def home_to_remember(
    replica: Replica, memory: ReplicaMemory, entry_ids: frozenset[str]
) -> frozenset[str] | None:
    """What the replica is to remember of the home with these config entries; None if it does, or remembers none."""
    homes = memory.homes.after(entry_ids)
    return homes.own if homes is not memory.homes and replica.remembers_home else None


def remember_home(
    replica: Replica, memory: ReplicaMemory, entry_ids: frozenset[str], *, is_written: bool = False
) -> None:
    """Remember that the replica is of the home with these config entries, which it does if it `is_written`. Raises ReplicaError."""
    home = home_to_remember(replica, memory, entry_ids)
    if home is not None and not is_written:
        replica.remember_home(home)
    memory.homes = memory.homes.after(entry_ids)
