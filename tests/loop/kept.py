"""A controller at work in virtual time, for its tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio

from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Record
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import Intervals
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.replica_controller import ReplicaController
from engine.process.offload import Offload
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.virtual_time import PACE, clock, inline

HOME = snapshot(ENTRY, device(1), entity(1), at=NOON)
T = TypeVar("T")


class Kept:
    """A controller at work, its replica, and its reports."""

    def __init__(
        self,
        mode: str = "apply",
        offload: Offload = inline,
        intervals: Intervals = PACE,
        replica: MemoryReplica | None = None,
        ledger: MemoryLedger | None = None,
    ) -> None:
        self.replica = replica or MemoryReplica()
        self.ledger = ledger or MemoryLedger()
        self.reports: list[tuple[float, Report]] = []
        self.controller = ReplicaController(
            replica=self.replica,
            ledger=self.ledger,
            intervals=intervals,
            make_options=lambda verify: PassOptions(
                Mode(mode), Policy(), frozenset(REGISTRIES), "run", "home", verify=verify
            ),
            clock=clock,
            draw=lambda: 1.0,
            offload=offload,
        )

    def on_report(self, report: Report) -> None:
        self.reports.append((anyio.current_time(), report))

    def on_waiting(self, at: float) -> None:
        """Nothing reads Home Assistant here."""

    @property
    def times(self) -> list[float]:
        return [round(at, 3) for at, _ in self.reports]


@asynccontextmanager
async def keeping(
    mode: str = "apply",
    offload: Offload = inline,
    intervals: Intervals = PACE,
    replica: MemoryReplica | None = None,
    ledger: MemoryLedger | None = None,
) -> AsyncIterator[Kept]:
    kept = Kept(mode, offload, intervals, replica, ledger)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kept.controller.run, kept)
        yield kept
        tasks.cancel_scope.cancel()


class ConcurrencyLimiter:
    """Lets worker threads hang: what is named in `closed` does not return before it is opened."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.entered: list[str] = []

    async def __call__(self, work: Callable[[], T]) -> T:
        name = getattr(getattr(work, "func", work), "__name__", "")
        self.entered.append(name)
        while name in self.closed:  # noqa: ASYNC110 (virtual time)
            await anyio.sleep(0.1)
        return await inline(work)


class Short:
    """Lets memory run out in what is named in `at`."""

    def __init__(self) -> None:
        self.at: str | None = None

    async def __call__(self, work: Callable[[], T]) -> T:
        if getattr(getattr(work, "func", work), "__name__", "") == self.at:
            raise MemoryError
        return await inline(work)


def later(before: Snapshot, *records: Record) -> Snapshot:
    return before.with_changes([(r, content_hash(r)) for r in records], [], taken_at=clock())
