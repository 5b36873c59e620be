"""The user's order of areas and floors, for replicas from which rows may be restored."""

from collections.abc import Mapping

from engine.core.home.list_order import later_order
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Replica, Run


def order_to_keep(replica: Replica, memory: ReplicaMemory, desired: Snapshot) -> Mapping[Key, int] | None:
    """The order that the replica should keep; None if it already keeps it, or keeps none. Raises ReplicaError."""
    if not replica.keeps_order or desired.home.set_aside:
        return None  # a row that is set aside keeps its position, which this read does not know
    if memory.order is None:
        memory.order = replica.order()
    wanted = later_order(memory.order, desired.home.positions, desired.reading.registries)
    return None if wanted == memory.order else wanted


def remember_order(
    replica: Replica, memory: ReplicaMemory, desired: Snapshot, run: Run, *, is_written: bool = False
) -> None:
    """Make the replica keep the order if it keeps another one, unless writing (`is_written`) did so. Raises ReplicaError."""
    wanted = order_to_keep(replica, memory, desired)
    if wanted is None:
        return
    if not is_written:
        replica.keep_order(wanted, run)
    memory.order = wanted
