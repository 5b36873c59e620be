"""The controller of one replica: keeps it equal to the newest snapshot for as long as the engine runs.

Each replica has its own, so that a hanging one does not delay the others. It runs a pass when Home Assistant changed, when
another program wrote to the store, when a pass failed, and regularly to verify everything.
"""

import math
from collections.abc import Callable
from functools import partial

import anyio
import msgspec

from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.state.backlog import Backlog
from engine.core.state.backoff import Backoff
from engine.core.state.intervals import Intervals
from engine.core.state.report import Report, without_many_applied
from engine.core.state.status import ReplicaStatus, replica_status
from engine.core.words import Mode, SyncStatus
from engine.errors import ReplicaError
from engine.loop.first_passes import FirstPasses
from engine.loop.listeners import PassListener
from engine.loop.passes.context import PassContext
from engine.loop.passes.found_times import FoundTimes
from engine.loop.passes.memory import ReplicaMemory, with_removals_left
from engine.loop.passes.options import PassOptions, what_changed
from engine.loop.passes.replica_pass import ReplicaPass
from engine.loop.passes.report import apply_passes, report_pass
from engine.loop.store_watch import StoreWatch
from engine.ports import Ledger, Replica
from engine.process.offload import Offload, to_thread

_MOMENT_SECONDS = 1.0
_SET_SECONDS = 1.0  # smaller corrections of a wall clock are normal
# Created for every pass: its run id, and whether it verifies.
MakeOptions = Callable[[bool], PassOptions]


class ReplicaController:
    """Runs passes over one replica, one after the other."""

    def __init__(  # noqa: PLR0913 (collaborators, by keyword)
        self,
        *,
        replica: Replica,
        ledger: Ledger,
        intervals: Intervals,
        make_options: MakeOptions,
        clock: Callable[[], float],
        draw: Callable[[], float],
        calendar: Callable[[], Calendar] = Calendar,
        offload: Offload = to_thread,
    ) -> None:
        """`clock` never jumps. All arguments serve the passes over this one replica."""
        self._calendar = calendar
        self._shift = calendar().shift
        self._offload = offload
        self._draw = draw
        self._replica = replica
        self._ledger = ledger
        self._pace = intervals
        self._make_options = make_options
        self._clock = clock
        self._backoff = Backoff(intervals.retry_seconds_min, intervals.retry_seconds_max, draw)
        self._memory: ReplicaMemory | None = None
        self._first_passes = FirstPasses()
        self._newest: Snapshot | None = None
        self._found = FoundTimes(ledger, replica.name)  # since when records differ
        self._true_at = 0.0  # up to when the newest snapshot is known to be true
        self._losses = 0  # how often Home Assistant was lost
        self._newest_losses = 0  # how often it was when the newest snapshot was read
        self._done: Snapshot | None = None  # the snapshot of the last pass
        self._backlog = Backlog()
        self._under_way = frozenset[Key]()  # keys that the pass writes and has not reported yet
        self._registries = frozenset(REGISTRIES)
        self._wake = anyio.Event()
        self._looked_at = self._verify_at = -math.inf  # by anyio's clock, as the next
        self._retry_at: float | None = None  # when the last pass failed
        self._is_tidy = True
        self._watch = StoreWatch(replica, offload, clock, intervals.watch_seconds)
        self.status = ReplicaStatus(replica.name, SyncStatus.UNKNOWN, status_since=clock())

    def offer(self, snapshot: Snapshot) -> None:
        """Set the newest snapshot, replacing one that no pass has taken yet."""
        self._newest = snapshot = with_removals_left(snapshot, self._newest, self._memory)
        self._backlog.offer(snapshot)
        self._true_at = snapshot.reading.true_at
        self._newest_losses = self._losses
        self._note_backlog()
        self._wake.set()

    def lose(self) -> None:
        """Note that Home Assistant is lost: comparisons prove nothing until one with a later read."""
        self._losses += 1
        if self.status.unproven_since is None:
            self.status = msgspec.structs.replace(self.status, unproven_since=self._clock())

    def confirm(self, at: float) -> None:
        """Note that the newest snapshot is still true at `at` (Unix seconds)."""
        self._true_at = at
        if self._newest is self._done and self.status.status == SyncStatus.IN_SYNC:
            self.status = msgspec.structs.replace(self.status, synced_at=at)

    def current(self) -> ReplicaStatus:
        """The status now; unknown, rather than in or out of sync, if another program has replaced or may have changed the file."""
        if self.status.status not in (SyncStatus.IN_SYNC, SyncStatus.OUT_OF_SYNC):
            return self.status
        return self._watch.shown(self.status, self._unknown, self._under_way)

    @property
    def name(self) -> str:
        """The replica's name."""
        return self._replica.name

    async def run(self, listener: PassListener, first_passes: FirstPasses | None = None) -> None:
        """Keep the replica equal until cancelled. `first_passes` is shared by all replicas of the home."""
        self._first_passes = first_passes or self._first_passes
        is_calm = False
        while True:
            is_calm = await self._wait(await self._step(listener, is_calm=is_calm))

    async def _step(self, listener: PassListener, *, is_calm: bool) -> float:
        """Run a pass if one is due, else postponed work; returns the seconds until the next step."""
        now = anyio.current_time()
        if self._is_clock_set():
            self._verify_at = now  # so that the newest report has the right time
        if self._newest is not None and await self._is_due(now):
            verify = now >= self._verify_at or self._retry_at is not None
            async with self._first_passes.turn(self._first_records(self._newest)):
                retry_after = await self._pass(self._newest, listener, verify=verify)
            if verify and retry_after is None:
                self._verify_at = self._looked_at + self._pace.verify_wait(self._draw())
            self._retry_at = anyio.current_time() + retry_after if retry_after is not None else None
            self._is_tidy = False
            if self._found.is_changed:
                await self._offload(self._found.keep)
            return 0.0
        self._is_tidy = self._is_tidy or await self._tidy(is_calm=is_calm)
        return self._pace.watch_seconds

    def _first_records(self, desired: Snapshot) -> int:
        """The number of records of a first pass over a file of ours; else 0."""
        return len(desired.home.records) if self._memory is None and self._replica.needs_tidying else 0

    async def _is_due(self, now: float) -> bool:
        if self._retry_at is not None:
            # A failing store is left alone, whatever Home Assistant does. With the ledger failing, this store is still known.
            return now >= self._retry_at or await self._is_changed_elsewhere()
        is_read_after_loss = self.status.unproven_since is not None and self._newest_losses == self._losses
        is_old_news = self._newest is self._done and not is_read_after_loss
        return not is_old_news or now >= self._verify_at or await self._is_changed_elsewhere()

    def _is_clock_set(self) -> bool:
        """Whether the wall clock was set since the last call."""
        before, self._shift = self._shift, self._calendar().shift
        return abs(self._shift - before) > _SET_SECONDS

    async def _tidy(self, *, is_calm: bool) -> bool:
        if not self._replica.needs_tidying:
            return True
        try:
            return await self._offload(partial(self._replica.tidy, is_calm=is_calm))
        except ReplicaError:
            return True  # nothing depends on it, and the next pass reports the error

    async def _wait(self, seconds: float) -> bool:
        """Wait for an event, at most `seconds`. Returns whether none came."""
        if seconds <= 0:
            return False
        with anyio.move_on_after(seconds) as scope:
            await self._wake.wait()
        self._wake = anyio.Event()
        return scope.cancelled_caught

    async def _is_changed_elsewhere(self) -> bool:
        if is_changed := await self._watch.is_changed():
            self.status = self._unknown()  # until the following pass has read the content
        return is_changed

    def _unknown(self) -> ReplicaStatus:
        since = self._status_since(SyncStatus.UNKNOWN)
        return msgspec.structs.replace(self.status, status=SyncStatus.UNKNOWN, status_since=since)

    async def _pass(self, desired: Snapshot, listener: PassListener, *, verify: bool) -> float | None:
        """Make the replica equal to `desired`; returns the seconds before a retry, None if it succeeded."""
        started = self._clock()
        true_at, losses = self._true_at, self._newest_losses
        options = self._make_options(verify)
        self._backlog.take()
        self._registries = options.registries
        is_whole = desired.reading.registries <= options.registries
        part = desired if is_whole else await self._offload(partial(desired.only, options.registries))
        context = PassContext(
            options,
            part,
            [self._replica],
            self._ledger,
            clock=self._clock,
            offload=self._offload,
            calendar=self._calendar(),
        )
        since = what_changed(self._done, desired)
        work = ReplicaPass(self._replica, context, memory=self._memory, since=since)
        await self._compare(work, context, desired, started, verify=verify)
        try:
            report = await context.work_on(self.name, partial(self._finish, work, context, started))
        except ReplicaError as error:  # there is no thread for it
            work.fail(error)
            report = self._report(work, context, started)
        self._memory = work.memory
        if work.confirmed_by is not None and options.mode == Mode.APPLY and not report.errors:
            listener.on_waiting(work.confirmed_by)
        self._done = desired
        self._under_way = frozenset()
        # Heartbeats may have confirmed it while it was compared.
        true_at = self._true_at if self._newest is desired else true_at
        self._publish(report, desired, true_at, is_proven=losses == self._losses)
        # What was written is known even if the ledger, in another store, then failed.
        is_known = self._memory or (self.status.is_error_elsewhere and work.comparison and work.remembered)
        if not is_known:
            self._watch.forget()
        listener.on_report(report)
        return self._backoff.wait_after(report, context.retry_after_seconds)

    async def _compare(
        self, work: ReplicaPass, context: PassContext, desired: Snapshot, started: float, *, verify: bool
    ) -> None:
        """Compare the replica; the status shows the differences from then on, however long the rest of the pass takes."""
        signature = self._replica.file_signature()
        with context.phase("compare"):
            await work.compare()
        self._looked_at = anyio.current_time()
        if work.comparison is not None:
            if work.remembered is not None:
                self._watch.note_look(signature, work.remembered.data_version)
            verified_at = started if verify else self.status.verified_at
            self.status = msgspec.structs.replace(self.status, verified_at=verified_at)
        # Until then changes are pending, even those that turn out to need no operation.
        await self._note_found(work, partial(self._report, work, context, started))
        if (planned := work.planned_keys) is not None:
            self._under_way = planned
            self._note_pending(len(planned), desired.reading.taken_at)
            self._note_backlog()

    def _publish(self, report: Report, desired: Snapshot, true_at: float, *, is_proven: bool) -> None:
        """Replace the status of the replica with the pass's result."""
        status = self.status.after(
            report,
            now=self._clock(),
            since=self._status_since(report.status),
            taken_at=desired.reading.taken_at,
            true_at=true_at,
        )
        self.status = msgspec.structs.replace(status, unproven_since=None) if is_proven else status
        self._note_backlog()

    def _note_backlog(self) -> None:
        """Count changes as pending from the moment they are known, however long a pass takes."""
        changed = self._backlog.changed(self._registries)
        if changed and self._newest is not None:
            self._note_pending(max(self.status.pending, len(changed)), self._newest.reading.taken_at)
        if (known := changed | self._under_way) != self.status.changed:
            since = (self.status.changed_since or self._clock()) if known else None
            self.status = msgspec.structs.replace(self.status, changed=known, changed_since=since)

    def _note_pending(self, count: int, since: float) -> None:
        self.status = msgspec.structs.replace(
            self.status, pending=count, pending_since=(self.status.pending_since or since) if count else None
        )

    def _finish(self, work: ReplicaPass, context: PassContext, started: float) -> Report:
        """Run the rest of the pass as one piece of work: switching threads costs more than most of its steps."""
        apply_passes(context, [work])
        return self._report(work, context, started)

    def _report(self, work: ReplicaPass, context: PassContext, started: float) -> Report:
        return self._found.date(report_pass(context, [work], started), self._clock(), self._calendar())

    async def _note_found(self, work: ReplicaPass, report: Callable[[], Report]) -> None:
        """Show what is wrong from the comparison on, with held operations and differing records."""
        word = work.found_status
        if self.status.status == SyncStatus.IN_SYNC and word != SyncStatus.IN_SYNC:
            found = without_many_applied(await self._offload(report))
            since = self._status_since(word)
            self.status = msgspec.structs.replace(self.status, status=word, status_since=since, report=found)

    def _status_since(self, word: SyncStatus) -> float | None:
        now, known = self._clock(), self.status
        if known.pending_since is not None and now - known.pending_since < _MOMENT_SECONDS:
            # Every change is pending for a moment before it is written.
            known = msgspec.structs.replace(known, pending=0)
        before, since = replica_status(known, now, self._pace.freshness)
        return since if before == word else now
