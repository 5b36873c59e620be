"""One pass after Home Assistant was read: compare every replica, carry out the verdicts, report.

Replicas fail alone: one that cannot be read or written is reported as such, and the others are served.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from typing import cast

import msgspec

from engine.core.compare.comparison import Comparison, Told, report_records, report_replica
from engine.core.compare.diff import UNDER_WAY, Cause, adopt, compare
from engine.core.compare.kept import Kept, fill_in, kept_keys, stand_in
from engine.core.compare.plan import Operation, Plan, make_plan
from engine.core.guards.absences import track_absences, wait_seconds
from engine.core.guards.guard import Verdict, review
from engine.core.guards.look import Calendar, Look
from engine.core.home.record import Key
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import (
    SCHEMA_VERSION,
    ErrorReport,
    RecordReport,
    ReplicaReport,
    Report,
    SourceReport,
    combined_status,
    rfc3339,
    unknown_replica,
)
from engine.errors import PlanStale, ReplicaError
from engine.loop.books import Books
from engine.loop.homes import known_homes, remember_home
from engine.loop.memory import ReplicaMemory, known_to, rows_of, versions_of
from engine.loop.offload import Offload, to_thread
from engine.loop.orders import remember_order
from engine.loop.pass_options import PassOptions, Since
from engine.ports import Ledger, Noting, Replica, Run, Upkeep


class OnePass:
    """What one pass found out, decided and did. Built with the desired state, used once."""

    def __init__(  # noqa: PLR0913 (collaborators)
        self,
        options: PassOptions,
        desired: Snapshot,
        replicas: Sequence[Replica],
        ledger: Ledger,
        *,
        clock: Callable[[], float],
        memories: dict[str, ReplicaMemory] | None = None,
        offload: Offload = to_thread,
        since: Since | None = None,
        calendar: Calendar = Calendar(),  # noqa: B008 (immutable)
    ) -> None:
        """Nothing is read yet. `clock` never jumps; `calendar` says what its times are.

        `memories` are kept up to date for the next pass; `since` is for one replica only.
        """
        self._since = since
        self._offload = offload
        self._options = options
        self._desired = desired.with_unread_as_empty() if options.policy.allow_empty else desired
        self._replicas = {replica.name: replica for replica in replicas}
        self._ledger = ledger
        self._clock = clock
        self._calendar = calendar
        self._comparisons: dict[str, Comparison] = {}
        self._memories = {} if memories is None else memories
        self._looked_at: float | None = None  # when the replicas were looked at
        self._absences: dict[Key, Look] | None = None  # not read yet
        self._books = Books(ledger, options.places)
        self._claimed: dict[str, frozenset[Key]] = {}
        self._filled: dict[str, Snapshot] = {}  # as desired of a replica that has what was only partly read
        self._applied: set[str] = set()
        self._notes: dict[str, str | None] = {}
        self._unsure: set[str] = set()  # written to with an outcome that nobody knows
        self._forgetful: set[str] = set()  # what was last applied to them could not be read
        self._errors: dict[str, ReplicaError] = {}
        self._told: dict[str, dict[Key, Told]] = {}  # what the passes before reported of what still stands
        self._phase_seconds: dict[str, float] = {}

    @property
    def read_at(self) -> float:
        """When Home Assistant was read, by the wall clock as it is set now."""
        return self._calendar.wall(self._desired.taken_at)

    @property
    def look(self) -> Look:
        """When Home Assistant was read, by all that tells it."""
        return self._calendar.look(self._desired.taken_at)

    @property
    def planned_count(self) -> int | None:
        """How many operations would make every replica equal, as found by `examine`; None when one is not known."""
        if len(self._comparisons) < len(self._replicas):
            return None
        return sum(len(c.plan.operations) for c in self._comparisons.values())

    @property
    def retry_after_seconds(self) -> float:
        """What the stores asked to wait before the next pass."""
        return max((e.retry_after_seconds or 0.0 for e in self._errors.values()), default=0.0)

    @property
    def waiting_keys(self) -> set[Key]:
        """Records whose delete needs a second look at Home Assistant."""
        return {o.key for c in self._comparisons.values() for o in c.verdict.waiting}

    @property
    def confirmed_by(self) -> float | None:
        """The first time at which a look at Home Assistant confirms a delete that waits; None where none does."""
        waiting = [(o.key, c.absences) for c in self._comparisons.values() for o in c.verdict.waiting]
        wait = partial(wait_seconds, now=self.look, confirm=self._options.policy.delete_confirm_seconds)
        waits = [wait(absences.get(key, self.look)) for key, absences in waiting]
        return self._desired.taken_at + min(waits) if waits else None

    async def examine(self, first_missed: Mapping[Key, Look]) -> None:
        """Compare every replica; `first_missed` are absences seen by an earlier read of this same pass."""
        started = self._clock()
        self._looked_at = self._calendar.wall(started)
        for name, replica in self._replicas.items():
            try:
                self._comparisons[name] = await self._offload(partial(self._compare, replica, first_missed))
            except ReplicaError as error:
                self._errors[error.replica] = error
        self._phase_seconds["compare"] = round(self._clock() - started, 6)

    def check_expected(self) -> None:
        """Refuse to go on when a saved plan is not what there is to do now."""
        expected = self._options.expected
        if expected is None:
            return
        found = {name: c.plan.fingerprint for name, c in self._comparisons.items()}
        changed = sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))
        if changed:
            raise PlanStale(
                f"The saved plan is stale: Home Assistant or {', '.join(changed)} changed since it was made.",
                "Nothing was written. Make a new plan with --plan-out.",
            )

    async def carry_out(self) -> None:
        """Apply what the verdicts allow, each replica by itself, then remember what was missed."""
        started = self._clock()
        for name, comparison in self._comparisons.items():
            try:
                await self._offload(partial(self._apply, self._replicas[name], comparison))
            except ReplicaError as error:
                self._errors[error.replica] = error
                self._unsure.add(name)
        try:
            await self._offload(self._note_absences)
        except ReplicaError as error:
            self._errors.setdefault(error.replica, error)
        for name in self._unsure:
            self._memories.pop(name, None)
        self._phase_seconds["apply"] = round(self._clock() - started, 6)

    def report(self, started: float) -> Report:
        """The pass as one document."""
        replicas: list[ReplicaReport] = []
        records: list[RecordReport] = []
        for name in self._replicas:
            comparison, error = self._comparisons.get(name), self._errors.get(name)
            text = str(error) if error else None
            if comparison is None:
                replicas.append(unknown_replica(name, text))
                continue
            applied = name in self._applied
            unwritten = error.unwritten if isinstance(error, ReplicaError) and error.replica == name else None
            found = report_replica(comparison, applied=applied, error=text, unwritten=unwritten)
            replicas.append(msgspec.structs.replace(found, note=self._notes.get(name)))
            records += report_records(
                comparison,
                self._desired_of(name),
                done=self._outcome(applied=applied),
                compared_at=self.read_at,
                found_at=self._looked_at,
                unwritten=unwritten,
                told=self._told.get(name),
            )
        desired = self._desired
        health = desired.health
        return Report(
            schema_version=SCHEMA_VERSION,
            status=combined_status([r.status for r in replicas]),
            mode=self._options.mode,
            run_id=self._options.run_id,
            site=self._options.site,
            compared_at=rfc3339(self.read_at),
            duration_seconds=round(self._clock() - started, 6),
            source=SourceReport(desired.origin, True, health.ha_version, health.state, len(desired.records)),
            replicas=tuple(replicas),
            records=tuple(records),
            errors=tuple(ErrorReport.of(name, e) for name, e in self._errors.items()),
            partial=bool(self._errors) and len(self._errors) < len(self._replicas),
            phase_seconds=self._phase_seconds,
            set_aside=desired.set_aside,
        )

    def _compare(self, replica: Replica, first_missed: Mapping[Key, Look]) -> Comparison:
        policy = self._options.policy
        absences = self._known_absences(first_missed)
        memory = self._remembered(replica)
        self._told[replica.name] = memory.told
        applied = memory.applied
        if self._since is None:
            memory.adopt(*adopt(memory.versions, self._desired.records))
        versions = memory.versions
        desired = fill_in(self._desired, versions, replica.read)
        kept = kept_keys(desired, versions, versions_of(replica, desired), replica.read)
        if replica.stores_derived:
            desired = stand_in(desired, kept, replica.read)
        self._filled[replica.name], wanted = desired, versions_of(replica, desired)
        if self._since is None:
            memory.share(wanted)
        diff = compare(wanted, versions, applied, desired.registries, self._changed_keys, kept.keys)
        keys = [d.key for d in diff.differences if d.observed is not None]
        plan = make_plan(
            replica.name,
            diff,
            desired,
            rows_of(replica, memory, keys, self._since),
            with_derived=replica.stores_derived,
            # Without the ledger every row that Home Assistant lacks looks foreign, ours among them.
            prune_foreign=policy.prune_foreign and replica.name not in self._forgetful,
            known=memory.standing,
        )
        observed_count = sum(memory.counts[registry] for registry in desired.registries)
        verdict = review(
            plan,
            desired,
            # Where nothing is on record, what stands in the replica tells which home it is of.
            applied=applied or versions,
            homes=memory.homes,
            observed_count=observed_count,
            absences=absences,
            policy=policy,
            calendar=self._calendar,
            has_books=replica.name not in self._forgetful,
        )
        if verdict.refused_whole:
            # It was compared with another home's records, and rows were given the keys of those.
            del self._memories[replica.name]
        memory.leave(plan, verdict, is_known=self._is_narrow(replica, plan, verdict, kept))
        foreign = [d.key for d in diff.differences if d.cause is Cause.FOREIGN]
        kept_count = sum(key in versions for key in kept.keys)
        return Comparison(plan, verdict, observed_count, absences, self._known_ids(foreign), kept, kept_count)

    def _is_narrow(self, replica: Replica, plan: Plan, verdict: Verdict, kept: Kept) -> bool:
        """Whether the next pass need only look at what changed and at what this one leaves."""
        if replica.name in self._forgetful or kept.surplus:
            return False
        if any(d.cause is Cause.FOREIGN for d in plan.diff.differences):
            return False  # somebody's row may be adopted by any entity
        is_left = bool(verdict.held or verdict.waiting or self._options.mode != "apply")
        return not (is_left and (self._desired.set_aside or self._desired.partly_read))

    def _known_absences(self, first_missed: Mapping[Key, Look]) -> dict[Key, Look]:
        if self._absences is None:
            self._absences = {}
            try:
                self._absences = {**first_missed, **self._ledger.absences()}
            except ReplicaError as error:
                self._errors[error.replica] = error
        return self._absences

    def _remembered(self, replica: Replica) -> ReplicaMemory:
        memory, stamp = self._memories.get(replica.name), replica.stamp()
        if self._options.verify or memory is None or memory.stamp != stamp:
            self._since = None
            self._memories.pop(replica.name, None)
            versions = replica.observe().versions
            applied = self._books.about(replica, versions, self._last_applied(replica.name))
            homes = known_homes(replica, self._ledger, versions, self._note_error)
            memory = ReplicaMemory(stamp, versions, applied or {}, homes)
            self._memories[replica.name] = memory
            if applied is not None:
                self._claim_returned(replica, memory)
        self._since = memory.widened(self._since)
        return memory

    def _claim_returned(self, replica: Replica, memory: ReplicaMemory) -> None:
        """Take for ours what came back after we ended it, say because an InfluxDB lost the tombstone in a crash.

        Only in a records replica, where other programs have no rows: there a record of this site that Home
        Assistant once had is one we wrote. It goes as any other does, with evidence.
        """
        if cast("object", replica) is self._ledger:
            return
        returned = self._known_ids(
            memory.versions.keys() - memory.applied.keys() - self._desired.records.keys()
        )
        memory.applied.update(dict.fromkeys(returned, UNDER_WAY))
        self._claimed[replica.name] = returned

    def _note_error(self, error: ReplicaError) -> None:
        self._errors.setdefault(error.replica, error)

    def _known_ids(self, keys: Collection[Key]) -> frozenset[Key]:
        try:
            return self._ledger.known_ids(keys) if keys else frozenset()
        except ReplicaError as error:
            self._errors.setdefault(error.replica, error)
            return frozenset()

    @property
    def _changed_keys(self) -> Set[Key] | None:
        return None if self._since is None else self._since.keys

    def _desired_of(self, replica: str) -> Snapshot:
        return self._filled.get(replica, self._desired)

    def _last_applied(self, replica: str) -> dict[Key, str] | None:
        try:
            return self._ledger.applied(replica)
        except ReplicaError as error:
            # Without memory every difference is pending and no row is known to be ours: nothing is deleted.
            self._errors.setdefault(error.replica, error)
            self._forgetful.add(replica)
            return None

    def _apply(self, replica: Replica, comparison: Comparison) -> None:
        diff, allowed = comparison.plan.diff, comparison.verdict.allowed
        desired = self._desired_of(replica.name)
        wanted = versions_of(replica, desired)
        ha_version = self._desired.health.ha_version
        # Not when Home Assistant was read: what is healed minutes later was not changed then.
        now = self._calendar.wall(self._clock())
        run = Run(
            self._options.run_id, now, self._desired.origin, ha_version, wanted, self.read_at, self._desired
        )
        if self._is_ledger_sound() and not comparison.verdict.refused_whole:
            self._books.begin(replica.name, self.read_at)
        if allowed:
            self._announce(replica, allowed)
            replica.apply(allowed, run)
            if isinstance(replica, Noting):
                self._notes[replica.name] = replica.take_note()
        self._applied.add(replica.name)
        if isinstance(replica, Upkeep):
            replica.upkeep(desired, run)
        if comparison.verdict.refused_whole:
            return  # nothing is booked: it would make the next pass believe that this home is known
        written = [(o.key, wanted.get(o.key)) for o in allowed]
        moved = [(o.moved_from, None) for o in allowed if o.moved_from]
        # A replica that is the ledger recorded what it wrote in the same transaction.
        fresh = [] if cast("object", replica) is self._ledger else [*written, *moved]
        claimed = [(key, UNDER_WAY) for key in sorted(self._claimed.get(replica.name, ()))]
        if self._is_ledger_sound():
            self._ledger.settle(replica.name, [*claimed, *diff.settled, *fresh], self.read_at)
        memory = self._memories[replica.name]
        memory.take(allowed, diff.settled, wanted)
        remember_home(replica, memory, self._desired.entry_ids)
        remember_order(replica, memory, self._desired, run)

    def _announce(self, replica: Replica, operations: Sequence[Operation]) -> None:
        """Book what is about to be written: were we killed, it would look like rows that somebody else wrote."""
        # A replica that is the ledger writes rows and books at once.
        if cast("object", replica) is self._ledger or not self._is_ledger_sound():
            return
        keys = sorted({key for o in operations for key in (o.key, o.moved_from) if key})
        # Without books nothing is held back, for they are another replica's file.
        with suppress(ReplicaError):
            self._ledger.settle(replica.name, [(key, UNDER_WAY) for key in keys], self.read_at)

    def _note_absences(self) -> None:
        if all(c.verdict.refused_whole for c in self._comparisons.values()):
            return  # nothing was looked at, or what was read is not of the home
        absences = self._known_absences({})
        kept = frozenset[Key]().union(*(c.kept.keys for c in self._comparisons.values()))
        known, keys = known_to(self._memories), self._changed_keys
        found = track_absences(self._desired, known, absences, self._calendar, keys, kept)
        if self._is_ledger_sound():
            self._ledger.note_absences(found, self.look)

    def _is_ledger_sound(self) -> bool:
        """Whether to write to the ledger. Not when the file it is part of is damaged, as far as we have seen."""
        failed = [r for name, r in self._replicas.items() if name in self._errors]
        return not any(cast("object", replica) is self._ledger for replica in failed)

    def _outcome(self, *, applied: bool) -> str:
        if self._options.mode == "apply":
            return "applied" if applied else "failed"
        return "observed" if self._options.mode == "observe" else "planned"
