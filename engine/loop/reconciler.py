"""The reconciler: read Home Assistant, compare, review, carry out, report. One call is one pass.

A pass keeps nothing in memory that the next one needs, so it may be cut off anywhere and simply run again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio

from engine.core.record import Key
from engine.core.report import (
    SCHEMA_VERSION,
    ErrorReport,
    Report,
    SourceReport,
    rfc3339,
    unknown_replica,
)
from engine.errors import SourceError
from engine.loop.one_pass import OnePass, PassOptions
from engine.ports import Ledger, Progress, Replica, Source


class Reconciler:
    """Passes over one home. `clock` gives Unix seconds; `progress` is told what is being read."""

    def __init__(
        self,
        source: Source,
        replicas: Sequence[Replica],
        ledger: Ledger,
        clock: Callable[[], float],
        progress: Progress,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """Keep the collaborators; nothing is opened or read yet."""
        self._source = source
        self._replicas = replicas
        self._ledger = ledger
        self._clock = clock
        self._progress = progress
        self._sleep = sleep

    async def run(self, options: PassOptions) -> Report:
        """Do one pass. Raises PlanStale; every other failure is part of the report."""
        started = self._clock()
        try:
            work = await self._look(options, {})
            if options.confirm_deletes and work.waiting_keys:
                first_missed = dict.fromkeys(work.waiting_keys, work.read_at)
                self._progress("waiting to confirm deletes", 0, None)
                await self._sleep(options.policy.delete_confirm_seconds)
                work = await self._look(options, first_missed)
        except SourceError as error:
            return self._unread(options, error, started)
        work.check_expected()
        if options.mode == "apply":
            await work.carry_out()
        return work.report(started)

    async def _look(self, options: PassOptions, first_missed: Mapping[Key, float]) -> OnePass:
        desired = (await self._source.read(self._progress)).only(options.registries)
        work = OnePass(options, desired, self._replicas, self._ledger, clock=self._clock)
        await work.examine(first_missed)
        return work

    def _unread(self, options: PassOptions, error: SourceError, started: float) -> Report:
        return Report(
            schema_version=SCHEMA_VERSION,
            status="unknown",
            mode=options.mode,
            run_id=options.run_id,
            site=options.site,
            compared_at=rfc3339(started),
            duration_seconds=round(self._clock() - started, 6),
            source=SourceReport(self._source.origin, False),
            replicas=tuple(unknown_replica(replica.name, None) for replica in self._replicas),
            records=(),
            errors=(ErrorReport.of("source", error),),
            partial=False,
        )
