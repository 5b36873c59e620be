"""The reconciler: read Home Assistant, then compare, apply and report every replica. One call is one pass.

A pass keeps nothing in memory that the next one needs, so it may be interrupted anywhere and simply run again.
`warm_start` decides what it may skip because an earlier process did it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import msgspec

from engine.core.guards.look import Calendar, Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.state.report import (
    Report,
)
from engine.core.words import Mode
from engine.errors import PlanStale, SourceError
from engine.loop.passes.context import PassContext
from engine.loop.passes.missing_records import note_absences
from engine.loop.passes.options import PassOptions
from engine.loop.passes.replica_pass import ReplicaPass
from engine.loop.passes.report import report_pass, report_unread
from engine.loop.passes.warm_start import WarmStart
from engine.loop.sightings import Sightings
from engine.pass_cache.contents import CacheDamaged
from engine.pass_cache.ports import CacheFile
from engine.ports import Ledger, Progress, Replica, Source
from engine.process.offload import sleep, to_thread


class Reconciler:
    """Runs passes over one home. `clock` gives seconds and never jumps, `calendar` converts them to other clocks.

    `progress` receives the progress of reads.
    """

    def __init__(  # noqa: PLR0913 (collaborators)
        self,
        source: Source,
        replicas: Sequence[Replica],
        ledger: Ledger,
        clock: Callable[[], float],
        progress: Progress,
        sleep: Callable[[float], Awaitable[None]] = sleep,
        *,
        calendar: Callable[[], Calendar] = Calendar,
        cache: CacheFile | None = None,
    ) -> None:
        """Opens and reads nothing yet. Without a `cache`, a pass starts from nothing."""
        self._source = source
        self._replicas = replicas
        self._ledger = ledger
        self._clock = clock
        self._progress = progress
        self._sleep = sleep
        self._calendar = calendar
        self._cache = cache

    async def run(self, options: PassOptions) -> Report:
        """Run one pass. Raises PlanStale; every other failure is part of the report."""
        started = self._clock()
        warm_start = WarmStart(self._cache, self._source, self._ledger, options)
        await warm_start.begin(self._replicas)
        try:
            try:
                return await self._pass(options, warm_start, started)
            except CacheDamaged:
                # Nothing was written yet: the whole cache is checked before any write.
                warm_start.forget()
                return await self._pass(options, warm_start, started)
        except SourceError as error:
            at, seconds = self._calendar().wall(started), self._clock() - started
            names = [replica.name for replica in self._replicas]
            return report_unread(options, self._source.origin, error, names, at=at, seconds=seconds)

    async def _pass(self, options: PassOptions, warm_start: WarmStart, started: float) -> Report:
        """Raises SourceError, PlanStale and CacheDamaged."""
        context, passes = await self._look(options, warm_start)
        _check_expected(options, passes)
        if options.mode == Mode.APPLY:
            with context.phase("apply"):
                for one in passes:
                    await to_thread(one.apply)
                await to_thread(partial(note_absences, context, passes))
        report = report_pass(context, passes, started)
        await warm_start.keep(passes)
        return report

    async def _look(
        self, options: PassOptions, warm_start: WarmStart
    ) -> tuple[PassContext, list[ReplicaPass]]:
        """Read Home Assistant and compare every replica with it. Raises SourceError, CacheDamaged."""
        sightings = Sightings()
        read = sightings.add(await self._source.read(self._progress))
        if warm_start.is_used and read.home.has_odd_rows:
            # Only a read without a cache knows an unusable row's position in its list.
            warm_start.forget()
            read = sightings.add(await self._source.read(self._progress))
        context, passes = await self._compare(read, options, {}, warm_start)
        waiting = set[Key]().union(*(one.waiting_keys for one in passes))
        if options.confirm_deletes and waiting and not read.reading.is_frozen:
            first_missed = dict.fromkeys(waiting, context.look)
            self._progress("waiting to confirm deletes", 0, None)
            await self._sleep(options.policy.delete_confirm_seconds)
            read = sightings.add(await self._source.read(self._progress))
            context, passes = await self._compare(read, options, first_missed, None)
        await warm_start.check(passes)
        return context, passes

    async def _compare(
        self,
        read: Snapshot,
        options: PassOptions,
        first_missed: Mapping[Key, Look],
        warm_start: WarmStart | None,
    ) -> tuple[PassContext, list[ReplicaPass]]:
        desired = await to_thread(partial(read.only, options.registries))
        context = PassContext(
            # The recalled memory of a replica was just verified.
            msgspec.structs.replace(options, verify=False),
            desired,
            self._replicas,
            self._ledger,
            clock=self._clock,
            calendar=self._calendar(),
            first_missed=first_missed,
        )
        passes = [
            ReplicaPass(
                replica,
                context,
                memory=warm_start.memory_of(replica) if warm_start else None,
                since=warm_start.since(replica, desired) if warm_start else None,
            )
            for replica in self._replicas
        ]
        with context.phase("compare"):
            for one in passes:
                await one.compare()
        return context, passes


def _check_expected(options: PassOptions, passes: Sequence[ReplicaPass]) -> None:
    """Refuse to continue if a saved plan differs from the fresh one. Raises PlanStale."""
    if options.expected is None:
        return
    expected = options.expected
    found = {one.name: one.comparison.plan.fingerprint for one in passes if one.comparison is not None}
    changed = sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))
    if changed:
        raise PlanStale(
            f"The saved plan is stale: Home Assistant or {', '.join(changed)} changed since it was made.",
            "Nothing was written. Make a new plan with --plan-out.",
        )
