"""The user's order of areas and floors, kept by replicas of which rows may be restored one day."""

from engine.core.home.list_order import later_order
from engine.core.home.snapshot import Snapshot
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Replica, Run


def remember_order(replica: Replica, memory: ReplicaMemory, desired: Snapshot, run: Run) -> None:
    """Have the replica keep the order if it is another than the one it keeps. Raises ReplicaError."""
    if not replica.keeps_order or desired.home.set_aside:
        return  # a row that is set aside keeps its place, which this read does not know
    known = replica.order() if memory.order is None else memory.order
    wanted = later_order(known, desired.home.positions, desired.reading.registries)
    if wanted != known:
        replica.keep_order(wanted, run)
    memory.order = wanted
