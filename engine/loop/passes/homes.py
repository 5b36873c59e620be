"""Which home a replica belongs to: read from all memories of it, and recorded with each pass that is not refused."""

from collections.abc import Callable, Collection

from engine.core.guards.instance import KnownHomes, entries_among
from engine.core.records.record import Key
from engine.errors import ReplicaError
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Ledger, Replica

# The number of rows to read to find the config entries of a store that contains no config entries.
_OWNED_MAX = 1_000


def known_homes(
    replica: Replica,
    ledger: Ledger,
    keys: Collection[Key],
    on_error: Callable[[ReplicaError], None],
) -> KnownHomes:
    """The homes that the replica, which holds rows of these keys, and the ledger remember. `on_error` receives the error of
    a ledger that cannot be read.

    Raises ReplicaError when the replica cannot be read.
    """
    own = replica.home() if replica.remembers_home else frozenset[str]()
    try:
        of_ledger = ledger.home()
    except ReplicaError as error:
        on_error(error)
        of_ledger = frozenset()
    return KnownHomes(own, of_ledger, entries_among(keys) or _owners(replica, keys))


def _owners(replica: Replica, keys: Collection[Key]) -> frozenset[str]:
    """The config entries that devices and entities belong to, in a store that neither holds nor remembers any. Raises ReplicaError.

    In a SQLite file such rows may be those of another program, which the first pass adopts or reports.
    """
    if replica.remembers_home:
        return frozenset()
    owned = sorted(key for key in keys if key.registry in ("device", "entity"))[:_OWNED_MAX]
    found = (row.fields.get("config_entry_id") for row in replica.read(owned).values()) if owned else ()
    return frozenset(owner for owner in found if isinstance(owner, str) and owner)


def home_to_remember(
    replica: Replica, memory: ReplicaMemory, entry_ids: frozenset[str]
) -> frozenset[str] | None:
    """The config entries that the replica should remember of this home; None if it already does, or cannot remember any."""
    homes = memory.homes.after(entry_ids)
    return homes.own if homes is not memory.homes and replica.remembers_home else None


def remember_home(
    replica: Replica, memory: ReplicaMemory, entry_ids: frozenset[str], *, is_written: bool = False
) -> None:
    """Make the replica remember the home with these config entries, unless writing (`is_written`) did so. Raises ReplicaError."""
    home = home_to_remember(replica, memory, entry_ids)
    if home is not None and not is_written:
        replica.remember_home(home)
    memory.homes = memory.homes.after(entry_ids)
