"""The user's order of areas and floors, kept by replicas of which rows may be restored one day."""

from collections.abc import Mapping

from engine.core.home.list_order import later_order
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Replica, Run


def order_to_keep(replica: Replica, memory: ReplicaMemory, desired: Snapshot) -> Mapping[Key, int] | None:
    """The order that the replica is to keep; None if it keeps that one, or none. Raises ReplicaError."""
    if not replica.keeps_order or desired.home.set_aside:
        return None  # a row that is set aside keeps its place, which this read does not know
    if memory.order is None:
        memory.order = replica.order()
    wanted = later_order(memory.order, desired.home.positions, desired.reading.registries)
    return None if wanted == memory.order else wanted


def remember_order(
    replica: Replica, memory: ReplicaMemory, desired: Snapshot, run: Run, *, is_written: bool = False
) -> None:
    """Have the replica keep the order if it is another than the one it keeps, which it does if it `is_written`. Raises ReplicaError."""
    wanted = order_to_keep(replica, memory, desired)
    if wanted is None:
        return
    if not is_written:
        replica.keep_order(wanted, run)
    memory.order = wanted
