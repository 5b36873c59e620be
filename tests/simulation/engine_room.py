"""The engine under test, built as `engine/composition` builds it, on virtual time and a simulated socket.

Real: websocket adapter, informer, controllers, passes, guard, core, and the rows and history files where a history
asks for them. Not real: the socket, the clock, worker threads (their work is done in between two waits).
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from unittest import mock

import anyio.to_thread
import msgspec
import trio

from engine.core.guards.guard import Policy
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import Intervals
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.informer import Informer
from engine.loop.passes.options import PassOptions
from engine.loop.replica_controller import ReplicaController
from engine.loop.service import Service
from engine.loop.source_memory import SourceMemory
from engine.process.clock import ProcessClock
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from engine.sources.live import connection as ha_connection
from engine.sources.live import sockets as ha_socket
from engine.sources.live import websocket
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.world import MemoryLedger
from tests.simulation.caches import CacheKey, HostileCache
from tests.simulation.disturbers import disturb_memory, disturb_rows, leave_alone
from tests.simulation.stores import HostileStore, KnownRows, Write
from tests.simulation.wire import EVENTS_MAX, TOKEN
from tests.simulation.world import World

T = TypeVar("T")

PACE = Intervals(
    relist_seconds=90,
    verify_seconds=60,
    heartbeat_seconds=20,
    coalesce_seconds=0.2,
    watch_seconds=15,
    retry_seconds_min=1,
    retry_seconds_max=20,
)
# A small home has small limits, so that every guard comes to speak.
POLICY = Policy(delete_confirm_seconds=30, delete_few_max=3, delete_ratio_max=0.3)
# The settings of a person who has seen what every guard holds, and agrees.
AGREED = Policy(
    delete_confirm_seconds=30,
    delete_ratio_max=1.0,
    allow_empty=True,
    allow_new_instance=True,
    prune_foreign=True,
)
FRESHNESS = PACE.freshness


class Engine:
    """A service that can be killed and started again over the same stores."""

    def __init__(
        self, world: World, stores: list[HostileStore], ledger: HostileStore, random: Random
    ) -> None:
        self.world = world
        self.policy = msgspec.structs.replace(POLICY, prune_foreign=random.random() < 0.2)
        self.on_report: Callable[[Report], None] = lambda _report: None
        self.on_source: Callable[[str], None] = lambda _what: None
        self.on_start: Callable[[float], None] = lambda _at: None
        self.pass_seconds: Callable[[], float] = lambda: 0.0
        self.hang_in: int | None = None  # calls of worker threads until one hangs
        self.hang_seconds = 0.0
        self.service: Service | None = None
        self._stores = stores
        self._ledger = ledger
        # Of its own numbers: what else happens in a history is the same with a cache and without.
        self.cache = HostileCache(Random(str(random.getstate())))
        self._random = random
        self._scope = trio.CancelScope()
        self._passes = 0
        self.reads = 0

    async def run(self) -> None:
        """Run one service after the other, until cancelled."""
        while True:
            self.service = self._service()
            self.on_start(trio.current_time())
            with trio.CancelScope() as self._scope:
                await self.service.run()
            self.service = None
            await trio.sleep(self._random.choice([0.0, 5.0]))

    def kill(self) -> None:
        """The process dies where it is; the next one finds the stores as they are."""
        self._scope.cancel()

    def _service(self) -> Service:
        moments = self.world.moments
        # The machine had been running for a while, and is not started again.
        clock = ProcessClock(moments.wall, moments.elapsed, "boot", 1000.0 + trio.current_time())
        draw = self._random.random
        source = WebsocketSource("ws://home:8123", TOKEN, clock=clock)
        controllers = [
            ReplicaController(
                replica=store,
                ledger=self._ledger,
                intervals=PACE,
                make_options=self._options,
                clock=clock,
                draw=draw,
                calendar=clock.calendar,
                offload=self._offload,
            )
            for store in self._stores
        ]
        self.cache.be_disturbed()
        memory = SourceMemory(self.cache, source, CacheKey())
        return Service(
            Informer(source, PACE, draw, lambda *_: None, memory),
            controllers,
            site="home",
            version="0",
            clock=clock,
            calendar=clock.calendar,
            on_report=self._on_pass,
            on_source=self._on_source,
        )

    def _on_pass(self, report: Report) -> None:
        self.on_report(report)

    def _on_source(self, what: str) -> None:
        self.reads += what == "read"
        self.on_source(what)

    def _options(self, verify: bool) -> PassOptions:
        self._passes += 1
        return PassOptions(
            Mode.APPLY, self.policy, frozenset(REGISTRIES), f"run{self._passes}", "home", verify=verify
        )

    async def _offload(self, work: Callable[[], T]) -> T:
        await trio.sleep(self.pass_seconds() + self._hang())
        result = work()
        if seconds := self.pass_seconds():
            await trio.sleep(seconds)
        return result

    def _hang(self) -> float:
        if self.hang_in is None:
            return 0.0
        self.hang_in -= 1
        if self.hang_in >= 0:
            return 0.0
        self.hang_in = None
        return self.hang_seconds


def memory_stores(random: Random, judge: Callable[[Write], None]) -> tuple[list[HostileStore], HostileStore]:
    """Two replicas without transactions, and a ledger apart from both."""
    rows = HostileStore(KnownRows("rows"), None, disturb_memory, random, judge)
    records = HostileStore(KnownRows("records", stores_derived=False), None, disturb_memory, random, judge)
    books = HostileStore(KnownRows("ledger"), MemoryLedger(), disturb_memory, random, judge)
    return [rows, records], books


@contextmanager
def file_stores(
    random: Random, judge: Callable[[Write], None]
) -> Iterator[tuple[list[HostileStore], HostileStore]]:
    """The real rows file, which is also the ledger, and the real history file; in memory where there is a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="reconcile-simulation-", dir=place))
    rows = open_rows(folder / "rows.db", busy_timeout_seconds=0)
    history = open_history(folder / "history.db", busy_timeout_seconds=0)
    try:
        made = HostileStore(rows, rows, partial(disturb_rows, folder / "rows.db"), random, judge)
        # The history file has transactions, too.
        past = HostileStore(history, rows, leave_alone, random, judge)
        yield [made, past], made
    finally:
        rows.close()
        history.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def simulated_machine(world: World) -> Iterator[None]:
    """While this holds, connections lead to the world and no thread runs beside virtual time."""

    async def here(work: Callable[..., T], *args: Any, **_options: object) -> T:
        await trio.lowlevel.checkpoint()
        return work(*args)

    opened = partial(ha_connection.open_connection, events_max=EVENTS_MAX)
    with (
        mock.patch.object(anyio.to_thread, "run_sync", here),
        mock.patch.object(ha_socket, "_Connect", world.server.connect),
        mock.patch.object(websocket, "open_connection", opened),
    ):
        yield
