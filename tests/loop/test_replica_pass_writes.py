"""The notes that a write carries: the home, the user's order, the store's place; and those made without a write."""

from collections.abc import Iterable, Mapping, Sequence

import anyio

from engine.core.compare.plan import Operation
from engine.core.guards.guard import Policy
from engine.core.home.list_order import positions_of
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Key
from engine.core.records.registries import REGISTRIES
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.memory import ReplicaMemory
from engine.loop.passes.options import PassOptions
from engine.loop.passes.replica_pass import ReplicaPass
from engine.ports import Replica, Run
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.passes.test_replica_pass_odd_rows import PlacedLedger
from tests.loop.virtual_time import inline

AREAS = [Area(area_id=name, name=name) for name in "ab"]


class Keeper(MemoryReplica):
    """Remembers its home and the user's order, and counts each write of them by itself."""

    remembers_home = True
    keeps_order = True

    def __init__(self) -> None:
        super().__init__()
        self.homes: list[frozenset[str]] = []
        self.orders: list[tuple[Mapping[Key, int], Run]] = []

    def remember_home(self, entry_ids: frozenset[str]) -> None:
        self.homes.append(entry_ids)

    def keep_order(self, positions: Mapping[Key, int], run: Run) -> None:
        self.orders.append((positions, run))


class Unique(MemoryReplica):
    """Cannot hold two rows with one entity_id."""

    drops_replaced = True

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        super().apply(operations, run)
        for operation in operations:
            if operation.replaces is not None:
                self.rows.pop(operation.replaces, None)


class Rows(MemoryReplica):
    keeps_ledger = True


def ordered(order: str) -> Snapshot:
    positions = positions_of({"area": [Key("area", name) for name in order]})
    return snapshot(ENTRY, *AREAS, positions=positions)


def begun(
    desired: Snapshot,
    replica: MemoryReplica,
    ledger: MemoryLedger,
    *,
    memory: ReplicaMemory | None = None,
    place: str | None = None,
    beside: Iterable[Replica] = (),
) -> ReplicaPass:
    """A pass that has compared."""
    places = {} if place is None else {replica.name: place}
    options = PassOptions(
        Mode.APPLY, Policy(), frozenset(REGISTRIES), "run", "home", places=places, verify=False
    )
    replicas = [replica, *beside]
    context = PassContext(options, desired, replicas, ledger, clock=lambda: NOON, offload=inline)
    for other in beside:
        context.keep_error(ReplicaUnavailable(other.name, "damaged"))
    work = ReplicaPass(replica, context, memory=memory)
    anyio.run(work.compare)
    return work


def test_a_write_carries_the_home_and_the_order_and_nothing_is_written_beside_it() -> None:
    replica, ledger = Keeper(), MemoryLedger()
    begun(ordered("ab"), replica, ledger).apply()
    assert replica.newest_run is not None
    assert replica.newest_run.home == frozenset({"entry"})
    assert replica.newest_run.order == ordered("ab").home.positions
    assert (replica.homes, replica.orders) == ([], [])


def test_without_a_write_the_home_and_the_order_are_kept_by_themselves() -> None:
    replica, ledger = Keeper(), MemoryLedger()
    replica.stores_derived = False  # a position would be a change of its own
    begun(ordered("ab"), replica, ledger).apply()
    writes = replica.writes
    begun(ordered("ba"), replica, ledger).apply()
    assert replica.writes == writes
    assert replica.homes == [{"entry"}]
    ((order, run),) = replica.orders
    assert order == ordered("ba").home.positions
    assert (run.run_id, run.read_at) == ("run", NOON)


def test_the_place_of_a_store_that_is_equal_already_is_noted_with_its_entries() -> None:
    replica, ledger = MemoryReplica(), PlacedLedger()
    begun(snapshot(ENTRY, device(1)), replica, MemoryLedger()).apply()
    begun(snapshot(ENTRY, device(1)), replica, ledger, place="here").apply()
    assert ledger.place_of == "here"
    assert set(ledger.versions["memory"]) == {ENTRY.key, device(1).key}


def test_nothing_is_noted_in_a_ledger_whose_file_is_damaged() -> None:
    replica, ledger = MemoryReplica(), MemoryLedger()
    begun(snapshot(ENTRY, device(1)), replica, ledger, beside=[Rows("rows")]).apply()
    assert device(1).key in replica.rows
    assert (ledger.writes, ledger.versions) == (0, {})


def test_a_foreign_row_that_had_to_go_for_an_entity_is_forgotten_with_it() -> None:
    foreign = entity(9, entity_id="sensor.s1")
    for replica in (Unique(), MemoryReplica()):
        ledger = MemoryLedger()
        begun(snapshot(ENTRY, entity(3)), replica, ledger).apply()
        replica.rows[foreign.key] = (foreign, None)
        work = begun(snapshot(ENTRY, entity(1), entity(3)), replica, ledger)
        work.apply()
        assert entity(1).key in replica.rows
        assert work.memory is not None
        assert set(work.memory.versions) == set(replica.rows)
    assert foreign.key in replica.rows, "this one can hold both"
