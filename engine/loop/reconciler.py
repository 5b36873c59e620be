"""The reconciler: read Home Assistant, then compare, apply and report every replica. One call is one pass.

A pass keeps nothing in memory that the next one needs, so it may be cut off anywhere and simply run again.
What it may leave out because nothing changed at all stands in `shortcut`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio

from engine.core.compare.proof import Unmodified
from engine.core.guards.look import Calendar, Look
from engine.core.home.record import Key
from engine.core.home.registries import REGISTRIES
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import (
    SCHEMA_VERSION,
    ErrorReport,
    ReplicaReport,
    Report,
    SourceReport,
    rfc3339,
    unknown_replica,
)
from engine.core.words import Mode, combined_status
from engine.errors import PlanStale, SourceError
from engine.loop.missing_records import note_absences
from engine.loop.pass_context import PassContext
from engine.loop.pass_options import PassOptions
from engine.loop.pass_report import report_pass
from engine.loop.replica_pass import ReplicaPass
from engine.loop.shortcut import Shortcut
from engine.ports import Ledger, Progress, Replica, Source


class Reconciler:
    """Passes over one home. `clock` gives seconds and never jumps, `calendar` says what time they are by other clocks.

    `progress` is told what is being read.
    """

    def __init__(  # noqa: PLR0913 (collaborators)
        self,
        source: Source,
        replicas: Sequence[Replica],
        ledger: Ledger,
        clock: Callable[[], float],
        progress: Progress,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        *,
        calendar: Callable[[], Calendar] = Calendar,
    ) -> None:
        """Keep the collaborators; nothing is opened or read yet."""
        self._source = source
        self._replicas = replicas
        self._ledger = ledger
        self._clock = clock
        self._progress = progress
        self._sleep = sleep
        self._calendar = calendar

    async def run(self, options: PassOptions) -> Report:
        """Do one pass. Raises PlanStale; every other failure is part of the report."""
        started = self._clock()
        shortcut = Shortcut(self._source, self._replicas, self._ledger, options)
        is_first_look = True
        try:
            read = await shortcut.read(self._progress)
            if not isinstance(read, Snapshot):
                return self._unmodified(options, *read, started)
            context, passes = await self._compare(read, options, {})
            waiting = set[Key]().union(*(one.waiting_keys for one in passes))
            if options.confirm_deletes and waiting:
                first_missed = dict.fromkeys(waiting, context.look)
                self._progress("waiting to confirm deletes", 0, None)
                await self._sleep(options.policy.delete_confirm_seconds)
                is_first_look = False
                read = await self._source.read(self._progress)
                context, passes = await self._compare(read, options, first_missed)
        except SourceError as error:
            return self._unread(options, error, started)
        _check_expected(options, passes)
        if options.mode == Mode.APPLY:
            with context.phase("apply"):
                for one in passes:
                    await one.apply()
                await note_absences(context, passes)
        report = report_pass(context, passes, started)
        if is_first_look:
            await shortcut.prove(report)
        return report

    async def _compare(
        self, read: Snapshot, options: PassOptions, first_missed: Mapping[Key, Look]
    ) -> tuple[PassContext, list[ReplicaPass]]:
        context = PassContext(
            options,
            read.only(options.registries),
            self._replicas,
            self._ledger,
            clock=self._clock,
            calendar=self._calendar(),
            first_missed=first_missed,
        )
        passes = [ReplicaPass(replica, context) for replica in self._replicas]
        with context.phase("compare"):
            for one in passes:
                await one.compare()
        return context, passes

    def _unmodified(
        self, options: PassOptions, found: Unmodified, replicas: list[ReplicaReport], started: float
    ) -> Report:
        health, records = found.health, replicas[0].counts.in_sync
        source = SourceReport(self._source.origin, True, health.ha_version, health.state, records, REGISTRIES)
        return self._without_records(
            options, started, self._calendar().wall(found.taken_at), source, replicas
        )

    def _unread(self, options: PassOptions, error: SourceError, started: float) -> Report:
        source = SourceReport(self._source.origin, False)
        replicas = [unknown_replica(replica.name, None) for replica in self._replicas]
        at = self._calendar().wall(started)
        return self._without_records(options, started, at, source, replicas, error)

    def _without_records(
        self,
        options: PassOptions,
        started: float,
        compared_at: float,
        source: SourceReport,
        replicas: Sequence[ReplicaReport],
        error: SourceError | None = None,
    ) -> Report:
        """The report of a pass that compared no record."""
        return Report(
            schema_version=SCHEMA_VERSION,
            status=combined_status([replica.status for replica in replicas]),
            mode=options.mode,
            run_id=options.run_id,
            site=options.site,
            compared_at=rfc3339(compared_at),
            duration_seconds=round(self._clock() - started, 6),
            source=source,
            replicas=tuple(replicas),
            records=(),
            errors=(ErrorReport.of("source", error),) if error else (),
            partial=False,
        )


def _check_expected(options: PassOptions, passes: Sequence[ReplicaPass]) -> None:
    """Refuse to go on when a saved plan is not what there is to do now. Raises PlanStale."""
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
