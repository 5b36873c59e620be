"""One history: a seed, the steps it draws, and what the oracle says about all that followed."""

import traceback
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

import trio
import trio.testing

from engine.core.state.report import Report
from engine.core.state.status import Status, status_word
from tests.simulation.engine_room import (
    AGREED,
    FRESHNESS,
    PACE,
    POLICY,
    Engine,
    file_stores,
    memory_stores,
    simulated_machine,
)
from tests.simulation.faults import ALL_STEPS, LAST_STEPS, LATER_STEPS, STEPS, pause
from tests.simulation.oracle import Oracle
from tests.simulation.outside import suffer
from tests.simulation.served import Served
from tests.simulation.stores import HostileStore
from tests.simulation.world import World

_scheduler = trio._core._run._r
# Seconds of virtual time until everything has to be right again: a last wait for the store and for Home
# Assistant, three reads apart, and a verifying pass.
_CONVERGED_SECONDS = 2 * PACE.retry_seconds_max + 3.5 * PACE.relist_seconds + PACE.verify_seconds
# No history is this long: one that is waits for something that never comes.
_HISTORY_SECONDS = 20_000.0


@dataclass(frozen=True)
class Outcome:
    """What came of a history."""

    seed: int
    steps: tuple[int, ...]
    violations: tuple[str, ...]
    lines: tuple[str, ...]
    writes: int
    claims: int
    with_misfortunes: bool = False


class History:
    """A running history: what its steps can reach."""

    def __init__(self, seed: int, only: frozenset[int] | None, *, with_misfortunes: bool = False) -> None:
        self.seed = seed
        self._with_misfortunes = with_misfortunes
        self._only = only
        self._lines: list[str] = []
        random = Random(seed)
        self._drawn = self._draw_steps(random)
        self._uses_files = random.random() < 0.05 or with_misfortunes
        self._is_served = random.random() < 0.03
        self._starts_hostile = random.random() < 0.3
        self._nursery: trio.Nursery | None = None
        self._lasts_until = 0.0
        self._random = random

    def _draw_steps(self, random: Random) -> list[tuple[int, str, int]]:
        names, weights = list(STEPS), [weight for _, weight in STEPS.values()]
        count = random.randint(2, 10)
        drawn = random.choices(names, weights, k=count)
        steps = [(name, random.getrandbits(32)) for name in drawn]
        more = Random(self.seed + 0.5)
        if more.random() < 0.4:
            for name in more.choices(list(LATER_STEPS), k=more.choice([1, 1, 2])):
                steps.insert(more.randint(0, len(steps)), (name, more.getrandbits(32)))
        last = Random(self.seed + 0.25)
        if last.random() < 0.1:
            name = last.choice(list(LAST_STEPS))
            steps.insert(last.randint(0, len(steps)), (name, last.getrandbits(32)))
        return [(index, name, seed) for index, (name, seed) in enumerate(steps)]

    def knows_home(self) -> bool:
        """Whether every replica holds a config entry, by which its home is recognised, and the ledger has it on record."""
        return all(
            any(key.registry == "config_entry" for key in keys)
            for store in self.stores
            for keys in (self.ledger.known(store.name), store.held())
        )

    def lose_books(self) -> bool:
        """The ledger is lost, as with a new rows file; returns whether it could be. The engine restarts."""
        is_lost = self.ledger.forget()
        if is_lost:
            self.oracle.are_books_lost = True
            self.engine.kill()
        return is_lost

    def note_failing(self, store: HostileStore) -> None:
        """The store may fail from now on; the oracle allows for what a ledger that fails forgets."""
        if store is self.ledger:
            self.oracle.may_forget = self.oracle.has_failing_ledger = True

    def note_tampering(self) -> None:
        """Anything may have happened to the rows from now on, until they are looked at."""
        store = self.stores[0]
        keys = [*store.held(), *self.world.truth().home.records]
        store.tampering.changed.update(dict.fromkeys(keys, trio.current_time()))
        store.forget_held()

    def log(self, line: str) -> None:
        """Log what happens."""
        self._lines.append(f"{trio.current_time():9.3f} s  {line}")

    def later(self, seconds: float, work: Callable[[], object], line: str) -> None:
        """Do it after a while."""

        async def wait() -> None:
            await trio.sleep(seconds)
            if line:
                self.log(line)
            work()

        self.begin(wait)

    def begin(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do it beside the rest."""
        assert self._nursery is not None
        self._nursery.start_soon(work)

    def lasts(self, seconds: float) -> None:
        """The history continues for as long, if it is only to see what becomes of it; some end early all the same."""
        if self._random.random() < 0.7:
            self._lasts_until = max(self._lasts_until, trio.current_time() + seconds)

    async def check_followed_soon(self) -> None:
        """Home Assistant is back: it has to be read within seconds, unless something else is in the way."""
        reads, faults = self.engine.reads, self.world.server.faults
        await trio.sleep(15)
        is_free = self.engine.service is not None and self.world.server.faults == faults == 0
        if is_free and self.engine.reads == reads and not self.world.failing_command:
            self.oracle.violate("Home Assistant is back for 15 s and was not read")

    async def look_closely(self) -> None:
        """Judge what is claimed in the moments after something happened."""
        for exponent in range(9):
            await trio.sleep(0.001 * 2**exponent)
            self._look()

    def run(self) -> Outcome:
        """Play the history and judge it."""
        clock = trio.testing.MockClock(autojump_threshold=0)
        # The scheduler's order is part of the history, and drawn from its seed.
        _scheduler.seed(self.seed)
        try:
            trio.run(self._play, clock=clock)
        except Exception as error:  # noqa: BLE001 (nothing that happens here may be the engine's death)
            self.oracle.violations.append(f"the engine died: {_innermost(error)}")
        return Outcome(
            seed=self.seed,
            steps=tuple(sorted(index for index, _, _ in self._drawn if self._plays(index))),
            violations=tuple(self.oracle.violations),
            lines=tuple(self._lines),
            writes=self.oracle.writes,
            claims=self.oracle.claims,
            with_misfortunes=self._with_misfortunes,
        )

    def _plays(self, index: int) -> bool:
        return self._only is None or index in self._only

    async def _play(self) -> None:
        with ExitStack() as stack, trio.fail_after(_HISTORY_SECONDS):
            self.world = World(Random(self._random.random()), self.log)
            self.oracle = Oracle(self.world, POLICY, FRESHNESS, PACE.watch_seconds)
            make = partial(stack.enter_context, file_stores(self._random, self.oracle.on_write))
            made = make() if self._uses_files else memory_stores(self._random, self.oracle.on_write)
            self.stores, ledger = made
            self.ledger = ledger
            self.all_stores = [*self.stores, *([] if ledger in self.stores else [ledger])]
            self.oracle.stores = self.stores
            self.engine = Engine(self.world, self.stores, ledger, self._random)
            self.engine.on_report = self._on_report
            self.engine.on_start = self.oracle.started_at.append
            self.engine.on_source = self.oracle.on_source
            self._served = Served(self.world, self.oracle, self._status) if self._is_served else None
            stack.enter_context(simulated_machine(self.world))
            async with trio.open_nursery() as everything:
                everything.start_soon(self.engine.run)
                everything.start_soon(self._watch)
                await self._go_through()
                if self._with_misfortunes and not self.oracle.violations:
                    await suffer(self, self.stores[0].inner.path)
                everything.cancel_scope.cancel()

    async def _go_through(self) -> None:
        if not self._starts_hostile:
            await trio.sleep(2)
        async with trio.open_nursery() as self._nursery:
            for index, name, seed in self._drawn:
                random = Random(seed)
                await pause(random)
                if self._plays(index):
                    reported = ALL_STEPS[name](self, random)
                    self.log(f"step {index}: {name}{f' ({reported})' if reported else ''}")
                    self._look()
            await trio.sleep(max(1.0, self._lasts_until - trio.current_time()))
            self._nursery.cancel_scope.cancel()
        await self._settle()

    async def _settle(self) -> None:
        """Everything stops being hostile; then it has to converge, and rest."""
        self.log("faults stop")
        self.engine.pass_seconds = lambda: 0.0
        self.engine.hang_in = None
        for store in self.all_stores:
            store.faults.clear()
            store.down, store.retry_after_seconds = "", None
        await self.world.calm(self._random)
        if not await self._is_read_again():
            return
        # A person agrees to what the guards hold, having seen that it is the right home that is read.
        self.engine.policy, self.oracle.is_agreed = AGREED, True
        if not await self._converges():
            return
        before = self.oracle.writes
        await trio.sleep(1.2 * PACE.verify_seconds)
        if self.oracle.writes != before:
            self.oracle.violate("a replica that was right was written to")
        self._look()

    async def _is_read_again(self) -> bool:
        reads = self.engine.reads
        with trio.move_on_after(2 * PACE.retry_seconds_max + PACE.relist_seconds):
            while self.engine.reads == reads:  # noqa: ASYNC110 (virtual time costs nothing)
                await trio.sleep(1)
            return True
        self.oracle.violate("Home Assistant is not read again")
        return False

    async def _converges(self) -> bool:
        # A call that hangs since before keeps hanging; what it delayed begins after it.
        deadline = trio.current_time() + _CONVERGED_SECONDS + self.engine.hang_seconds
        problems = ["the engine does not run"]
        while problems and trio.current_time() < deadline:
            await trio.sleep(5)
            service = self.engine.service
            if service is not None:
                status = service.status()
                problems = self.oracle.check_converged(status)
                word = status_word(status, self.world.moments.wall(), FRESHNESS)
                if not problems and word != "in_sync":
                    problems = [f"everything is right and the status is {word}"]
        for problem in problems:
            self.oracle.violate(f"not converged: {problem}")
        return not problems

    async def _watch(self) -> None:
        random = Random(self.seed + 1)
        while True:
            await trio.sleep(random.choice([0.05, 1, 5, 20]))
            self._look()
            if self._served is not None and random.random() < 0.2:
                await self._served.check()

    def _status(self) -> Status | None:
        return self.engine.service.status() if self.engine.service is not None else None

    def _look(self) -> None:
        if status := self._status():
            self.oracle.on_status(status)

    def _on_report(self, report: Report) -> None:
        self.oracle.on_report(report)
        if self._served is not None:
            self._served.on_report(report)
        self._look()


def play(seed: int, only: frozenset[int] | None = None, *, with_misfortunes: bool = False) -> Outcome:
    """The history of a seed; with `only`, of some of its steps; `with_misfortunes` of its rows file at the end."""
    with mock.patch.object(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True):
        return History(seed, only, with_misfortunes=with_misfortunes).run()


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
