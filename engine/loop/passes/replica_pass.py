"""One pass over one replica: compare it with the home, apply the allowed operations, report.

Replicas fail separately: the context keeps an error under its store's name, and the other replicas are still served.
"""

from collections.abc import Mapping, Set
from functools import partial

import msgspec

from engine.core.compare.comparison import Comparison, Reported, report_records, report_replica, status_of
from engine.core.compare.diff import IN_PROGRESS, Cause, Diff, adopt, compare
from engine.core.compare.kept import Kept, fill_in, foreign_bases, kept_keys, stand_in
from engine.core.compare.plan import Plan, make_plan
from engine.core.guards.absences import wait_seconds
from engine.core.guards.guard import Verdict, review
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.state.report import RecordReport, ReplicaReport, unknown_replica
from engine.core.words import Mode, Outcome, SyncStatus
from engine.errors import ReplicaError
from engine.loop.passes.context import PassContext
from engine.loop.passes.homes import home_to_remember, known_homes, remember_home
from engine.loop.passes.ledger_entries import LedgerEntries
from engine.loop.passes.memory import ReplicaMemory, rows_of, versions_of
from engine.loop.passes.options import Since
from engine.loop.passes.orders import order_to_keep, remember_order
from engine.ports import Observed, Replica


class ReplicaPass:
    """The findings, decisions and writes of one pass over one replica: `compare`, then `apply`, then `report`; used once."""

    def __init__(
        self,
        replica: Replica,
        context: PassContext,
        *,
        memory: ReplicaMemory | None = None,
        since: Since | None = None,
    ) -> None:
        """Reads nothing yet. `memory` is from the previous pass, and this pass changes it."""
        self._replica = replica
        self._context = context
        self._memory = memory
        self._since = since
        self._ledger_entries = LedgerEntries(
            replica, context.ledger, context.options.places.get(replica.name)
        )
        self._desired = context.desired  # with the replica's values for fields that were not read
        self._looked_at: float | None = None  # when the replica was read
        self._claimed = frozenset[Key]()
        self.is_applied = False  # whether all allowed operations were written
        self._is_ended = context.options.mode != Mode.APPLY  # without writes, it ends with the comparison
        self._is_unsure = False  # written to, with an unknown outcome
        self._is_forgetful = False  # the last applied versions could not be read
        self._reported: dict[Key, Reported] | None = None  # by earlier passes, of operations that still stand
        self.comparison: Comparison | None = None

    @property
    def name(self) -> str:
        """The replica's name."""
        return self._replica.name

    @property
    def memory(self) -> ReplicaMemory | None:
        """The memory for the next pass; None if that must read the replica."""
        return None if self._is_unsure or self.comparison is None else self._memory

    @property
    def remembered(self) -> ReplicaMemory | None:
        """This pass's memory of the replica, reliable or not."""
        return self._memory

    @property
    def changed_keys(self) -> Set[Key] | None:
        """The only keys that can differ; None if every key can."""
        return None if self._since is None else self._since.keys

    @property
    def planned_keys(self) -> frozenset[Key] | None:
        """The keys of the operations that would make the replica equal; None if it could not be compared."""
        return frozenset(o.key for o in self.comparison.plan.operations) if self.comparison else None

    @property
    def found_status(self) -> SyncStatus:
        """The status that the pass will find if every allowed operation is written."""
        if self.comparison is None:
            return SyncStatus.UNKNOWN
        return status_of(self.comparison, applied=True, failed=self.name in self._context.errors)

    @property
    def waiting_keys(self) -> set[Key]:
        """The records whose deletes need a second look at Home Assistant."""
        return {o.key for o in self.comparison.verdict.waiting} if self.comparison is not None else set()

    @property
    def confirmed_by(self) -> float | None:
        """The earliest time (Unix seconds) at which a read of Home Assistant confirms a waiting delete; None if none does."""
        if self.comparison is None or self._desired.reading.is_frozen:
            return None
        look, policy = self._context.look, self._context.options.policy
        wait = partial(wait_seconds, now=look, confirm=policy.delete_confirm_seconds)
        waits = [wait(self.comparison.absences.get(key, look)) for key in self.waiting_keys]
        return self._desired.reading.taken_at + min(waits) if waits else None

    async def compare(self) -> None:
        """Compare the replica, and decide which operations are allowed."""
        self._looked_at = self._context.wall_now
        try:
            self.comparison = await self._context.work_on(self.name, self._compare)
        except ReplicaError as error:
            self._context.keep_error(error)

    def apply(self) -> None:
        """Apply the allowed operations, in the calling thread. A replica that could not be compared stays as it is."""
        self._is_ended = True
        try:
            with self._context.reporting_shortage(self.name):
                if self.comparison is not None:
                    self._apply(self.comparison)
        except ReplicaError as error:
            self.fail(error)

    def fail(self, error: ReplicaError) -> None:
        """Report that the operations could not be applied because of this error; the replica's content is unknown."""
        self._is_ended = self._is_unsure = True
        self._context.keep_error(error)

    def report(self) -> tuple[ReplicaReport, list[RecordReport]]:
        """The replica's part of the report, and one entry per record that differed; before `apply`, of the planned operations."""
        context, comparison = self._context, self.comparison
        text = str(error) if (error := context.errors.get(self.name)) else None
        # Also after a failed pass: a fault is reported while it lasts.
        note = self._replica.take_note() if self._is_ended else None
        if comparison is None:
            return msgspec.structs.replace(unknown_replica(self.name, text), note=note), []
        unwritten = error.unwritten if error else None
        found = report_replica(comparison, applied=self.is_applied, error=text, unwritten=unwritten)
        records = report_records(
            comparison,
            self._desired,
            done=self._outcome(),
            compared_at=context.read_at,
            found_at=self._looked_at,
            unwritten=unwritten,
            reported=self._reported,
        )
        return msgspec.structs.replace(found, note=note), records

    def _compare(self) -> Comparison:
        context, replica = self._context, self._replica
        absences = context.absences()
        memory = self._refresh_memory()
        self._since, self._reported = memory.widened(self._since), memory.reported
        if self._since is None:
            home = context.desired.home
            memory.adopt(*adopt(memory.versions, home.records, home.entities.key_of))
        versions, applied = memory.versions, memory.applied
        desired = fill_in(context.desired, versions, replica.read)
        kept = kept_keys(desired, versions, versions_of(replica, desired), replica.read)
        if replica.stores_derived:
            bases = kept.keys | foreign_bases(desired, versions, applied)
            desired = stand_in(desired, Kept(bases), replica.read)
        self._desired, wanted = desired, versions_of(replica, desired)
        if self._since is None:
            memory.share(wanted)
        versions, applied = memory.versions, memory.applied  # by now the home's own mappings, if equal
        sides, registries = (wanted, versions, applied), desired.reading.registries
        diff = compare(*sides, registries, self.changed_keys, kept.keys, known=memory.differences)
        plan = self._plan(diff, desired, memory)
        observed_count = sum(memory.counts[registry] for registry in registries)
        verdict = review(
            plan,
            desired,
            # If no home is remembered, the replica's rows show which home it belongs to.
            applied=applied or versions,
            homes=memory.homes,
            observed_count=observed_count,
            absences=absences,
            policy=context.options.policy,
            calendar=context.calendar,
            has_ledger=not self._is_forgetful,
        )
        memory.leave(plan, verdict, is_known=self._is_narrow(plan, verdict, kept))
        return self._conclude(plan, verdict, observed_count, kept, versions)

    def _plan(self, diff: Diff, desired: Snapshot, memory: ReplicaMemory) -> Plan:
        replica = self._replica
        keys = [d.key for d in diff.differences if d.observed is not None]
        return make_plan(
            replica.name,
            diff,
            desired,
            rows_of(replica, memory, keys, self._since),
            with_derived=replica.stores_derived,
            # Without the ledger every row that Home Assistant lacks looks foreign, including our own.
            prune_foreign=self._context.options.policy.prune_foreign and not self._is_forgetful,
            known=memory.standing,
        )

    def _conclude(
        self, plan: Plan, verdict: Verdict, observed_count: int, kept: Kept, versions: Mapping[Key, str]
    ) -> Comparison:
        if verdict.refused_whole:
            self._memory = None  # its rows have been given keys of another home's records
        foreign = [d.key for d in plan.diff.differences if d.cause is Cause.FOREIGN]
        return Comparison(
            plan,
            verdict,
            observed_count,
            self._context.absences(),
            self._context.known_ids(foreign),
            kept,
            sum(key in versions for key in kept.keys),
            self._context.look,
        )

    def _is_narrow(self, plan: Plan, verdict: Verdict, kept: Kept) -> bool:
        """Whether the next pass need only compare changed keys and those that this one leaves."""
        if self._is_forgetful or kept.surplus:
            return False
        if any(d.cause is Cause.FOREIGN for d in plan.diff.differences):
            return False  # any entity may adopt a foreign row
        is_left = bool(verdict.held or verdict.waiting or self._context.options.mode != Mode.APPLY)
        return not (is_left and self._context.desired.home.has_odd_rows)

    def _refresh_memory(self) -> ReplicaMemory:
        """The replica's content: from memory, or observed if another program may have written to it."""
        context, replica = self._context, self._replica
        verify, memory, data_version = context.options.verify, self._memory, replica.data_version()
        if memory is not None and memory.holds(replica, data_version, context.applied if verify else None):
            return memory
        self._since = self._memory = None
        versions = (observed := replica.observe()).versions
        _ = verify and replica.digest(reread=False)  # for the next verifying pass
        applied = context.applied(self.name)
        # Without the ledger every difference is pending and no row is known to be ours, so nothing is deleted.
        self._is_forgetful = applied is None
        applied = self._ledger_entries.about(versions, applied)
        homes = known_homes(replica, context.ledger, versions, context.note_error)
        memory = self._memory = ReplicaMemory(data_version, versions, applied or {}, homes)
        if applied is not None:
            self._claim_ours(memory, observed)
        return memory

    def _claim_ours(self, memory: ReplicaMemory, observed: Observed) -> None:
        """Claim rows of ours that the ledger does not know; their deletes need evidence like any other.

        An earlier read of this process listed the record, while the ledger failed. Or, in a records replica, where other programs have
        no rows: Home Assistant once had it, an earlier owner wrote it, or it returned (an InfluxDB lost a tombstone).
        """
        desired = self._context.desired
        ours = (desired.last_seen.records.keys() & memory.versions.keys()) - memory.applied.keys()
        if not self._replica.keeps_ledger:
            unknown = memory.versions.keys() - memory.applied.keys() - desired.home.records.keys()
            ours |= unknown if self._replica.is_exclusive else self._context.known_ids(unknown)
            if observed.is_inherited:
                ours |= {key for key, _ in memory.applied.items() - memory.versions.items()}
        memory.applied = {**memory.applied, **dict.fromkeys(ours, IN_PROGRESS)}
        self._claimed = frozenset(ours)

    def _apply(self, comparison: Comparison) -> None:
        context, replica = self._context, self._replica
        diff, allowed = comparison.plan.diff, comparison.verdict.allowed
        wanted = versions_of(replica, self._desired)
        run = context.run(wanted)
        memory, entry_ids = self._memory, context.desired.home.entry_ids
        if context.is_ledger_writable and not comparison.verdict.refused_whole:
            self._ledger_entries.begin(context.read_at, allowed, memory)
        if allowed:
            assert memory is not None, "compare() ran, and the pass was not refused as a whole"
            home = home_to_remember(replica, memory, entry_ids)
            order = order_to_keep(replica, memory, context.desired)
            replica.apply(allowed, msgspec.structs.replace(run, home=home, order=order))
        self.is_applied = True
        replica.upkeep(self._desired, run)
        if comparison.verdict.refused_whole:
            return  # record nothing: the next pass would take this home for a known one
        fresh: list[tuple[Key, str | None]] = []
        if not replica.keeps_ledger:  # else it recorded its writes in the same transaction
            fresh += [(o.key, wanted.get(o.key)) for o in allowed]
            fresh += [(o.moved_from, None) for o in allowed if o.moved_from]
        claimed = [(key, IN_PROGRESS) for key in sorted(self._claimed)]
        place = self._ledger_entries.take_place()
        context.record_applied(self.name, [*claimed, *diff.settled, *fresh], place)
        assert memory is not None, "compare() ran, and the pass was not refused as a whole"
        memory.take(allowed, diff.settled, wanted, drops_replaced=replica.drops_replaced)
        remember_home(replica, memory, entry_ids, is_written=bool(allowed))
        remember_order(replica, memory, context.desired, run, is_written=bool(allowed))

    def _outcome(self) -> Outcome:
        if not self._is_ended:
            return Outcome.PLANNED
        if self._context.options.mode == Mode.APPLY:
            return Outcome.APPLIED if self.is_applied else Outcome.FAILED
        options = self._context.options
        # A comparison or a plan reports what a pass with these settings does.
        is_observed = Mode.OBSERVE in (options.mode, options.policy.mode)
        return Outcome.OBSERVED if is_observed else Outcome.PLANNED
