"""The loop's memory of a replica between passes, so that the cost of a pass depends on the number of changes.

It is only a cache: it is discarded when another program has written to the replica, and a verifying pass does not
use it.
"""

from collections import ChainMap, Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, cast

from engine.core.compare.plan import Operation, Plan
from engine.core.compare.stored import StoredRow, row_of
from engine.core.guards.guard import Verdict
from engine.core.guards.instance import KnownHomes
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.loop.passes.options import Since
from engine.ports import Replica

if TYPE_CHECKING:
    from engine.core.compare.comparison import Reported
    from engine.core.compare.diff import Difference

_NOBODY = KnownHomes()
# After a write of at least one in so many rows, check whether the replica is now equal to the home.
_ROWS_PER_WRITE_MAX = 16


class ReplicaMemory:
    """The versions that a replica held and those last applied to it, as of its `data_version`."""

    def __init__(
        self,
        data_version: int | None,
        versions: Mapping[Key, str],
        applied: Mapping[Key, str],
        homes: KnownHomes = _NOBODY,
    ) -> None:
        """Copies both mappings; `data_version` was taken before they were read."""
        self.homes = homes
        self.data_version = data_version
        self.versions: Mapping[Key, str] = dict(versions)
        self.applied: Mapping[Key, str] = dict(applied)
        self._home: Mapping[Key, str] | None = (
            None  # the home's own mapping, which the two may be; never mutated
        )
        self.counts = Counter(key.registry for key in versions)
        # Rows of other programs that were given an entity's key, by that key; see `core.compare.diff.adopt`.
        self.aliases: dict[Key, Key] = {}
        self.order: Mapping[Key, int] | None = (
            None  # the positions that the replica keeps; None: not read yet
        )
        self._rows: dict[Key, tuple[str, StoredRow]] = {}  # rows read by the last pass, with their versions
        # Everything that differed after the last pass; None: unknown.
        self._left: dict[Key, Difference] | None = None
        self.differences: Mapping[Key, Difference] = {}  # of the last pass, while this one runs
        self.standing: dict[Key, Operation] = {}  # planned by the last pass, but not allowed
        self.reported: dict[Key, Reported] = {}  # its reports of those

    @classmethod
    def recalled(
        cls, data_version: int | None, versions: Mapping[Key, str], counts: Counter[str], homes: KnownHomes
    ) -> "ReplicaMemory":
        """The memory of a replica that, like its ledger entries, is equal to the home of an earlier process.

        `versions` are the home's; they are only read when needed.
        """
        memory = cls(data_version, {}, {}, homes)
        memory.versions = memory.applied = memory._home = versions
        memory.counts, memory._left = counts.copy(), {}
        return memory

    @classmethod
    def equal(
        cls, data_version: int | None, applied: Mapping[Key, str], homes: KnownHomes
    ) -> "ReplicaMemory":
        """The memory of a replica that holds the versions last applied to it."""
        memory = cls(data_version, applied, {}, homes)
        memory.applied = memory.versions
        return memory

    def holds(
        self,
        replica: Replica,
        data_version: int | None,
        read_applied: Callable[[str], Mapping[Key, str] | None] | None,
    ) -> bool:
        """Whether the memory is valid for a replica with this data version.

        `read_applied` reads the last applied versions: with it all rows are read again too, and nothing is trusted.
        """
        if data_version != self.data_version:
            return False
        return read_applied is None or (replica.is_unchanged() and read_applied(replica.name) == self.applied)

    def widened(self, since: Since | None) -> Since | None:
        """The keys that may differ now: those changed since the last pass, and those it left; None means all keys."""
        left, self._left = self._left, None  # unknown after a pass that is interrupted
        self.differences = left or {}
        if since is None or left is None:
            return None
        # Keep their order, so that thousands need not be sorted again.
        return Since(since.before, dict.fromkeys((*left, *since.keys)).keys())

    def leave(self, plan: Plan, verdict: Verdict, *, is_known: bool) -> None:
        """Remember the pass's remaining differences; `is_known`: whether all other keys will still agree in the next pass."""
        self._left = {d.key: d for d in plan.diff.differences} if is_known else None
        self.differences = {}
        self.standing = {o.key: o for o in (*verdict.held, *verdict.waiting)}

    def rows_under(
        self, names: Mapping[Key, Key], read: Callable[[Iterable[Key]], dict[Key, StoredRow]]
    ) -> dict[Key, StoredRow]:
        """The rows of these keys, by the keys under which they are stored; `read` fetches those not remembered.

        Pending deletes and writes are needed in every pass, and reading thousands of rows takes seconds.
        """
        versions, held = self.versions, self._rows
        known = {
            key: row for key in names if (row := held.get(key)) is not None and versions.get(key) == row[0]
        }
        if len(known) == len(names):
            self._rows = known
            return {key: row for key, (_, row) in known.items()}
        unread = {key: name for key, name in names.items() if key not in known}
        found = read(unread.values())
        # Skip a row that was removed since, or that cannot be found by its damaged key.
        fresh = {key: found.get(name, StoredRow(key, {})) for key, name in unread.items()}
        self._rows = known | {
            key: (self.versions[key], row) for key, row in fresh.items() if key in self.versions
        }
        return fresh | {key: row for key, (_, row) in known.items()}

    def remember(self, rows: Mapping[Key, StoredRow]) -> None:
        """Remember these rows too, so that the next pass need not read those that wait."""
        self._rows |= {key: (self.versions[key], row) for key, row in rows.items()}

    def adopt(self, versions: Mapping[Key, str], aliases: Mapping[Key, Key]) -> None:
        """Apply the result of `core.compare.diff.adopt`."""
        if aliases:
            self.versions = dict(versions)
            self.aliases.update(aliases)

    def share(self, wanted: Mapping[Key, str]) -> None:
        """Use the home's own versions if they are equal, because copies for each replica add up."""
        are_same = self.applied is self.versions
        versions = wanted if self.versions == wanted else self._own(self.versions)
        if are_same:
            applied: Mapping[Key, str] = versions
        elif self.applied == wanted:
            applied = wanted
        else:
            applied = versions if self.applied == versions else self._own(self.applied)
        self.versions, self.applied, self._home = versions, applied, wanted

    def take(
        self,
        operations: Iterable[Operation],
        settled: Iterable[tuple[Key, str | None]],
        wanted: Mapping[Key, str],
        *,
        drops_replaced: bool,
    ) -> None:
        """Update the memory with the operations that were carried out and the ledger entries that were corrected.

        `drops_replaced` is the replica's: other replicas keep a row whose entity_id another row now has.
        """
        operations, settled = list(operations), list(settled)
        if not operations and not settled:
            return
        is_empty = not (self.versions or self.applied or self.aliases)
        if is_empty and not settled and len(operations) == len(wanted):
            self._fill(wanted)
            return
        are_same = self.applied is self.versions
        versions = self._own(self.versions)
        applied = versions if are_same else self._own(self.applied)
        left = self._left or {}
        for operation in operations:
            replaced = operation.replaces if drops_replaced else None
            for key in (operation.moved_from, replaced, operation.key):
                if key is not None:
                    if versions.pop(key, None) is not None:
                        self.counts[key.registry] -= 1
                    applied.pop(key, None)
            self.aliases.pop(operation.key, None)
            if operation.after is not None:
                versions[operation.key] = applied[operation.key] = wanted[operation.key]
                self.counts[operation.key.registry] += 1
                if operation.moved_from is None and operation.replaces is None:
                    left.pop(operation.key, None)  # now equal, and no other row was changed
        applied = _settle(versions, applied, settled)
        self.versions, self.applied = versions, applied
        if len(operations) * _ROWS_PER_WRITE_MAX >= len(versions):
            self.share(wanted)

    def _fill(self, wanted: Mapping[Key, str]) -> None:
        """Remember a first fill: the replica was empty, and everything wanted was written."""
        self.versions = self.applied = self._home = wanted
        self.counts = Counter(key.registry for key in wanted)
        self._left = {} if self._left is not None else None

    def is_equal(self, wanted: Mapping[Key, str]) -> bool:
        """Whether the replica holds exactly these versions and the ledger agrees."""
        return self.versions == wanted and self.applied == wanted

    def _own(self, versions: Mapping[Key, str]) -> dict[Key, str]:
        """A mapping that may be mutated: `versions` itself, or a copy if it is the home's."""
        is_own = isinstance(versions, dict) and versions is not self._home
        return versions if is_own else dict(versions.items())  # type: ignore[return-value]


def _settle(
    versions: dict[Key, str], applied: dict[Key, str], settled: Sequence[tuple[Key, str | None]]
) -> dict[Key, str]:
    """The last applied versions with a pass's corrections; the mapping `versions` itself stays if they agree with it."""
    if applied is versions:
        if all(versions.get(key) == version for key, version in settled):
            return versions
        applied = versions.copy()
    for key, version in settled:
        if version is None:
            applied.pop(key, None)
        else:
            applied[key] = version
    return applied


def with_removals_left(snapshot: Snapshot, newest: Snapshot | None, memory: ReplicaMemory | None) -> Snapshot:
    """The snapshot that follows `newest`, with what Home Assistant had reported as removed and the replica may still hold.

    A read of everything does not repeat it, so what no pass took or could write before would look like an absence.
    """
    before = newest.reading.removed if newest is not None else frozenset[Key]()
    left = before - snapshot.reading.removed
    return snapshot.with_evidence(left if memory is None else left & memory.versions.keys())


def known_to(memories: Sequence[ReplicaMemory]) -> Mapping[Key, str]:
    """The last applied versions of our rows in any of the replicas."""
    # Merged only when something iterates over all of it.
    return (
        memories[0].applied
        if len(memories) == 1
        else ChainMap(*(cast("MutableMapping[Key, str]", m.applied) for m in memories))
    )


def versions_of(replica: Replica, snapshot: Snapshot) -> Mapping[Key, str]:
    """The versions that a replica equal to the snapshot has."""
    return snapshot.home.row_versions if replica.stores_derived else snapshot.home.hashes


def rows_of(
    replica: Replica, memory: ReplicaMemory, keys: Sequence[Key], since: Since | None
) -> dict[Key, StoredRow]:
    """The rows of these keys: made from the snapshot that the replica was found equal to, or read."""
    rows: dict[Key, StoredRow] = {}
    if since is not None and since.before is not None:
        before = since.before
        versions = versions_of(replica, before)
        derived = before.home.derived if replica.stores_derived else {}
        rows = {
            key: row_of(before.home.records[key], derived.get(key))
            for key in keys
            # Equal versions mean equal rows.
            if key in before.home.records and memory.versions[key] == versions[key]
        }
    names = {key: memory.aliases.get(key, key) for key in keys if key not in rows}
    found = memory.rows_under(names, replica.read)
    memory.remember(rows)
    return rows | found
