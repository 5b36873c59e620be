"""The user's order: kept when it changes, and never from unread registries."""

from collections.abc import Mapping
from pathlib import Path

from engine.core.home.list_order import positions_of
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Floor, Key
from engine.loop.passes.memory import ReplicaMemory
from engine.loop.passes.orders import remember_order
from engine.ports import Run
from engine.replicas.history.replica import open_history
from tests.fakes.world import MemoryReplica
from tests.homes import snapshot
from tests.replicas.passes import run_of

FLOOR = Floor(floor_id="f", name="F")


class OrderlyReplica(MemoryReplica):
    """A replica that keeps the user's order, and records the runs."""

    keeps_order = True

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[Mapping[Key, int], Run]] = []
        self.asked = 0

    def order(self) -> Mapping[Key, int]:
        self.asked += 1
        return self.kept[-1][0] if self.kept else {}

    def keep_order(self, positions: Mapping[Key, int], run: Run) -> None:
        self.kept.append((positions, run))


def home(order: str) -> Snapshot:
    positions = positions_of({"area": [Key("area", name) for name in order], "floor": [FLOOR.key]})
    return snapshot(FLOOR, *(Area(area_id=name, name=name) for name in "ab"), positions=positions)


def test_an_order_is_kept_when_it_changes_and_not_again(tmp_path: Path) -> None:
    history, memory = open_history(tmp_path / "h.db"), ReplicaMemory(None, {}, {})
    for order in ("ab", "ba"):
        remember_order(history, memory, home(order), run_of(history, home(order)))
        assert history.order() == home(order).home.positions
    before = (tmp_path / "h.db").read_bytes()
    for known in (memory, ReplicaMemory(None, {}, {})):
        remember_order(history, known, home("ba"), run_of(history, home("ba")))
    assert (tmp_path / "h.db").read_bytes() == before


def test_unread_registries_keep_their_order_and_a_core_without_one_removes_it(tmp_path: Path) -> None:
    history, memory = open_history(tmp_path / "h.db"), ReplicaMemory(None, {}, {})
    remember_order(history, memory, home("ba"), run_of(history, home("ba")))
    part = home("ab").only(frozenset({"floor"}))
    remember_order(history, memory, part, run_of(history, part))
    assert history.order() == home("ba").home.positions
    plain = snapshot(*home("ab").home.records.values())
    remember_order(history, memory, plain, run_of(history, plain))
    assert history.order() == {}


def test_an_order_is_nothing_to_a_replica_without_and_makes_no_file(tmp_path: Path) -> None:
    memory, plain = ReplicaMemory(None, {}, {}), snapshot(FLOOR)
    remember_order(MemoryReplica(), memory, home("ab"), run_of(MemoryReplica(), plain))
    history = open_history(tmp_path / "h.db")
    remember_order(history, memory, plain, run_of(history, plain))
    assert not (tmp_path / "h.db").exists()


def test_the_order_of_a_run_is_kept_and_read_once() -> None:
    replica, memory = OrderlyReplica(), ReplicaMemory(None, {}, {})
    runs = {order: run_of(replica, home(order), run_id=order) for order in ("ab", "ba")}
    for order in ("ab", "ba", "ba"):
        remember_order(replica, memory, home(order), runs[order])
    assert replica.kept == [(home(order).home.positions, run) for order, run in runs.items()]
    assert replica.asked == 1


def test_an_order_that_is_written_already_is_only_remembered() -> None:
    replica, memory = OrderlyReplica(), ReplicaMemory(None, {}, {})
    for is_written in (True, False):
        remember_order(replica, memory, home("ab"), run_of(replica, home("ab")), is_written=is_written)
    assert replica.kept == []
    assert memory.order == home("ab").home.positions
