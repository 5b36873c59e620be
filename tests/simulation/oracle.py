"""Who knows the truth: judges every write as it happens, and everything the engine says of itself.

It shares no code with what it judges. A claim is held to the moment at which its time stamp was taken: a value
that a replica holds must have been true then or later.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import trio

from engine.core.compare.plan import Operation
from engine.core.guards.guard import Policy
from engine.core.records.record import Key
from engine.core.state.intervals import Freshness
from engine.core.state.report import Report
from engine.core.state.status import ReplicaStatus, Status, lag_seconds, replica_status
from tests.simulation.stores import HostileStore, Write, content_of, hash_of
from tests.simulation.timeline import Stamp
from tests.simulation.world import World

# A read of the registries takes a while, so that two lists are closer together than the reads they are of.
_READ_SECONDS = 8.0
_LAG_TOLERANCE = 0.5
_LATE_SECONDS = 3.0  # a look at a store may take so long beyond its interval


class Oracle:
    """Collects violations: sentences that say what was claimed or done, and why it was not so."""

    def __init__(self, world: World, policy: Policy, freshness: Freshness, watch_seconds: float) -> None:
        self._freshness = freshness
        self._watched_seconds = watch_seconds + _LATE_SECONDS
        self._world = world
        self._confirm_seconds = policy.delete_confirm_seconds
        self._few_max, self._ratio_max = policy.delete_few_max, policy.delete_ratio_max
        self.is_agreed = False  # a person has agreed to what the guards hold
        self.stores: Sequence[HostileStore] = ()
        self.violations: list[str] = []
        self.writes = 0
        self.operations: Counter[str] = Counter()  # by store
        self.claims = 0
        self.may_forget = (
            False  # a store fails or is slow, so that the ledger need not know what was read last
        )
        self.has_failing_ledger = False
        self.started_at: list[float] = []  # when services began
        self.are_books_lost = False
        self._seen: dict[str, object] = {}
        self._known_at: dict[
            str, int
        ] = {}  # the moment of the last list of a registry that the engine has read

    def violate(self, claim: str) -> None:
        """Something was not so."""
        self.violations.append(f"{trio.current_time():.3f} s: {claim}")

    # Writes

    def on_write(self, write: Write) -> None:
        """Judge one `apply`."""
        self.writes += 1
        self.operations[write.store.name] += len(write.operations)
        assert write.run.read_at is not None, "the loop always says"
        name, since = write.store.name, self._moment(write.run.read_at)
        keys = [operation.key for operation in write.operations]
        if len(keys) != len(set(keys)):
            self.violate(f"{name}: one plan holds a key twice")
        for operation in write.operations:
            key = operation.key
            is_same = operation.moved_from is None and write.before.get(key) == write.after.get(key)
            if is_same and key not in write.store.tampering.changed:
                self.violate(f"{name}: {operation.action} of {key} changes nothing: planned twice")
            value = hash_of(operation)
            if value is not None and not self._was_ours(key, value, since):
                self.violate(f"{name}: {key} was written as the home has not been since it was read")
        for key in sorted(write.before.keys() - write.after.keys()):
            if not self._is_replaced(key, write) and not self._has_evidence(key, since):
                self.violate(f"{name}: {key} was deleted without evidence")
            write.store.tampering.foreign.discard(key)
        if write.done and write.store.stores_derived:
            self._check_derived(write, since)

    def _check_derived(self, write: Write, since: int) -> None:
        """No row is made worse by a look that lacked other records: what is derived is true, or as it was."""
        world = self._world
        if world.corrupt or world.mode != "home" or max(world.ours.changed_at, world.upgraded_at) > since:
            return  # the home changed since it was read, or its derived values are uncertain
        if world.unreported.about_any(since):
            return  # a change of a device without an event is not known to the rows of its entities either
        truth = world.truth().home.row_versions
        if truth.keys() - write.after.keys():
            return  # something is believed to be gone, with evidence
        written = [o for o in write.operations if not self._may_miss(o, truth)]
        for key in sorted({operation.key for operation in written} & truth.keys()):
            found, wanted = write.after.get(key), truth[key]
            is_only_derived = found is not None and content_of(found) == content_of(wanted)
            if found != wanted and is_only_derived and key not in write.store.tampering.changed:
                self.violate(f"{write.store.name}: {key} was given derived values that are not true")

    def _may_miss(self, operation: Operation, truth: Mapping[Key, str]) -> bool:
        """Whether it rests on rows that look foreign without the ledger: devices do not count such entities, and such devices
        stand in for one that an entity refers to and the home lacks, as no Home Assistant does.
        """
        owner = getattr(operation.after, "device_id", None)
        is_of_nobody = owner is not None and Key("device", owner) not in truth
        is_unbooked = self.are_books_lost or self.has_failing_ledger
        return is_of_nobody or (is_unbooked and operation.key.registry == "device")

    def _is_replaced(self, key: Key, write: Write) -> bool:
        """Whether another entity was given the row's entity_id: entity_ids are unique."""
        before = next((o.before for o in write.operations if o.key == key and o.before), None)
        name = before.fields.get("entity_id") if before else None
        taken = {getattr(o.after, "entity_id", None) for o in write.operations if o.key != key}
        return name is not None and name in taken

    def _was_ours(self, key: Key, value: str, since: int) -> bool:
        is_followed = self._world.may_follow(f"{key.registry}_registry_updated")
        if self._is_doubtful(key, since) or not is_followed:
            since = 0
        return self._world.ours.was(key, value, since)

    def _moment(self, at: float) -> int:
        return self._world.moments.of(at).transaction

    def _since(self, key: Key, transaction: int) -> int:
        """Since when the engine may have known the key: long ago, if no event named it."""
        return self._world.begun if self._world.unreported.about(key, transaction) else transaction

    def _is_doubtful(self, key: Key, transaction: int) -> bool:
        return self._world.unreported.about(key, transaction) or self._world.unlisted.about(key, transaction)

    def _has_evidence(self, key: Key, since: int) -> bool:
        """Whether the record was gone, or two good lists apart from each other lacked it."""
        if self._world.durable.was(key, None, self._since(key, since)):
            return True
        first: float | None = None  # in real time, regardless of any clock
        for listing in self._world.listings.get(key.registry, ()):
            if key in listing.keys:
                # A process that ended before the ledger could note that it is back has forgotten it (a known weakness).
                first = first if self.may_forget and self.started_at[-1] > listing.at else None
            elif listing.trusted:
                first = listing.at if first is None else first
                if listing.at - first >= self._confirm_seconds - _READ_SECONDS:
                    return True
        return False

    # Reports

    def on_source(self, what: str) -> None:
        """Judge how Home Assistant was found."""
        if what == "read":
            # Lists were answered before this, so their content is known by now.
            self._known_at = dict(self._world.listed_at)
        if what == "SourceInvalid" and not self._world.misbehaved:
            self.violate("a healthy Home Assistant was called broken, and is not asked again soon")

    def _check_spoken(self, report: Report) -> None:
        """What looks like a mistake is called one at the first look; only a few ordinary deletes may just wait."""
        (replica,) = report.replicas
        counts = replica.counts
        total = counts.in_sync + counts.stale + counts.orphaned + counts.foreign
        if replica.waiting > max(self._few_max, self._ratio_max * total):
            self.violate(f"{replica.replica}: {replica.waiting} of {total} just wait for a second look")
        if replica.waiting and report.source.state != "RUNNING":
            self.violate(f"{replica.replica}: deletes wait while Home Assistant is {report.source.state}")

    def on_report(self, report: Report) -> None:
        """Judge what a pass says it did, and note that it looked."""
        if not self.is_agreed:
            self._check_spoken(report)
        store = next(s for s in self.stores if s.name == report.replicas[0].replica)
        held = store.held()
        if store.has_failed and not report.errors:
            self.violate(f"{store.name}: a write failed, and the pass reports no error")
        store.has_failed = False
        for record in report.records:
            key = Key(record.registry, record.key)
            if record.outcome == "applied" and key not in store.tampering.changed:
                found = held.get(key)
                if (content_of(found) if found else None) != record.source_hash:
                    self.violate(f"{store.name}: {key} is reported as applied and is not there")
        if not report.errors:
            changed = store.tampering.changed
            is_claimed = report.replicas[0].status == "in_sync"
            for key in store.seen & changed.keys():
                # What a guard holds back is found and stays as others made it.
                if is_claimed or not self._differs(store, key):
                    del changed[key]

    # Claims

    def on_status(self, status: Status) -> None:
        """Judge what the engine says of itself at this moment."""
        now = self._world.moments.wall()
        for replica, store in zip(status.replicas, self.stores, strict=True):
            self.claims += 1
            # The status that a client gets.
            if replica_status(replica, now, self._freshness)[0] == "in_sync":
                self._check_in_sync(replica, store)
            if replica.synced_at is not None:
                stamp = self._stamp(replica.synced_at, f"{store.name}: synced_at")
                if stamp is not None:
                    self._check_synced(stamp, store)
                    self._check_lag(replica, stamp, now)
        silent_for = trio.current_time() - self._world.server.last_open_at
        if status.source.connected and not self._world.server.sockets and silent_for > 1:
            self.violate("the source is called connected without a connection")

    def _stamp(self, at: float, what: str) -> Stamp | None:
        try:
            return self._world.moments.of(at)
        except KeyError:
            self.violate(f"{what} is a time that never was")
            return None

    def _check_in_sync(self, replica: ReplicaStatus, store: HostileStore) -> None:
        if replica.pending or (replica.error is not None and replica.compared_at is None):
            self.violate(f"{store.name}: in_sync with {replica.pending} pending")
        self._check_known(store)
        for key, at in store.tampering.changed.items():
            # Edits without a trace are found by verifying.
            is_traced = key in store.tampering.traced
            overdue = self._watched_seconds if is_traced else self._freshness.unverified_seconds
            if trio.current_time() - at > overdue and self._differs(store, key):
                self.violate(f"{store.name}: in_sync, and {key} was altered by others {overdue} s ago")
        for key in store.tampering.foreign & store.held().keys():
            if key not in store.tampering.changed:
                self.violate(f"{store.name}: in_sync with a foreign row {key}")

    def _check_known(self, store: HostileStore) -> None:
        """What was read of Home Assistant is there, however long the store takes, or it is not in sync."""
        held, shown = store.held(), self._world.shown
        for key in held.keys() | shown.keys():
            since = self._known_at.get(key.registry)
            if since is None or key in store.tampering.changed or key in store.tampering.foreign:
                continue
            found = held.get(key)
            value = content_of(found) if found else None
            if not self._is_doubtful(key, since) and not shown.was(key, value, since):
                self.violate(f"{store.name}: in_sync, and {key} is held as it was before it was read")

    def _differs(self, store: HostileStore, key: Key) -> bool:
        found = store.held().get(key)
        return (content_of(found) if found else None) != self._world.ours.now.get(key)

    def _check_synced(self, stamp: Stamp, store: HostileStore) -> None:
        held, shown = store.held(), self._world.shown
        tampering = store.tampering
        # Most looks find everything as it was at the last one.
        seen = (stamp.transaction, self._world.moments.now, held, len(tampering.changed))
        if self._seen.get(store.name) == seen:
            return
        self._seen[store.name] = seen
        for key in held.keys() | shown.keys():
            if (
                key in tampering.changed
                or key in tampering.foreign
                or self._is_doubtful(key, stamp.transaction)
            ):
                continue
            found = held.get(key)
            if not shown.was(key, content_of(found) if found else None, stamp.transaction):
                self.violate(
                    f"{store.name}: synced up to {stamp.virtual:.3f} s is claimed, but {key} is held as it was before"
                )

    def _check_lag(self, replica: ReplicaStatus, stamp: Stamp, now: float) -> None:
        claimed, true = lag_seconds(replica, now), trio.current_time() - stamp.virtual
        if claimed is None or claimed < true - _LAG_TOLERANCE:
            self.violate(f"{replica.replica}: a lag of {claimed} s is claimed; it may be {true:.1f} s")

    # The end

    def check_converged(self, status: Status) -> list[str]:
        """Why the replicas are not what they must be now; empty when they are."""
        truth = self._world.truth()
        problems = []
        for replica, store in zip(status.replicas, self.stores, strict=True):
            wanted = truth.home.row_versions if store.stores_derived else truth.home.hashes
            differing = _differing(store.held(), wanted)
            if replica.status != "in_sync":
                problems.append(f"{store.name} is {replica.status} ({replica.error})")
            if differing:
                problems.append(f"{store.name} differs in {', '.join(map(str, differing[:3]))}")
        return problems


def _differing(held: dict[Key, str], wanted: Mapping[Key, str]) -> list[Key]:
    return sorted(key for key in held.keys() | wanted.keys() if held.get(key) != wanted.get(key))
