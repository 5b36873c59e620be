"""The running engine in virtual time, for its tests: one home, two replicas, one service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from engine.core.guards.guard import Policy
from engine.core.guards.look import Calendar
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.state.status import status_word
from engine.core.words import Mode
from engine.loop.informer import Informer
from engine.loop.passes.options import PassOptions
from engine.loop.replica_controller import ReplicaController
from engine.loop.service import Service
from engine.process.clock import ProcessClock
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.virtual_time import PACE, LiveHome, clock, inline


class SetClock:
    """A machine whose wall clock is set while virtual time continues."""

    def __init__(self) -> None:
        self.offset = 0.0
        self.process = ProcessClock(self.wall, anyio.current_time, "boot", 1000.0)

    def wall(self) -> float:
        return NOON + anyio.current_time() + self.offset


class Running:
    """A service, its home and its replicas."""

    def __init__(self, mode: str = "apply", machine: SetClock | None = None) -> None:
        times: Callable[[], float] = clock if machine is None else machine.process
        self.home = LiveHome(snapshot(ENTRY, device(1), entity(1)))
        self.rows = MemoryReplica("rows")
        self.records = MemoryReplica("records", stores_derived=False)
        self.reported: list[Report] = []
        self.seen_at_source: list[tuple[str, str]] = []  # what was read, and the word at that instant
        calendar = Calendar if machine is None else machine.process.calendar
        ledger = MemoryLedger()
        self.service = Service(
            Informer(self.home, PACE, lambda: 0.5, lambda *_: None),
            [
                ReplicaController(
                    replica=replica,
                    ledger=ledger,
                    intervals=PACE,
                    make_options=lambda verify: PassOptions(
                        Mode(mode), Policy(), frozenset(REGISTRIES), "run", "home", verify=verify
                    ),
                    clock=times,
                    draw=lambda: 0.5,
                    calendar=calendar,
                    offload=inline,
                )
                for replica in (self.rows, self.records)
            ],
            site="home",
            version="0",
            clock=times,
            calendar=calendar,
            on_report=self.reported.append,
            on_source=self._see_source,
        )

    def _see_source(self, what: str) -> None:
        self.seen_at_source.append((what, self.word()))

    def word(self) -> str:
        return status_word(self.service.status(), clock(), PACE.freshness)


@asynccontextmanager
async def running(mode: str = "apply", machine: SetClock | None = None) -> AsyncIterator[Running]:
    made = Running(mode, machine)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.service.run)
        yield made
        tasks.cancel_scope.cancel()
