"""What the loop remembers of a replica between passes, so that a pass costs what changed.

Nothing here is needed for being right: a memory whose replica was written by someone else is thrown away, and
a verifying pass does without any.
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
# A write of at least one in so many rows is worth looking whether the replica is equal to the home now.
_ROWS_PER_WRITE_MAX = 16


class ReplicaMemory:
    """The versions a replica held and those last applied to it, as of its `data_version`."""

    def __init__(
        self,
        data_version: int | None,
        versions: Mapping[Key, str],
        applied: Mapping[Key, str],
        homes: KnownHomes = _NOBODY,
    ) -> None:
        """Copies of what was read; `data_version` was taken before."""
        self.homes = homes
        self.data_version = data_version
        self.versions: Mapping[Key, str] = dict(versions)
        self.applied: Mapping[Key, str] = dict(applied)
        self._home: Mapping[Key, str] | None = (
            None  # the home's own, of which these may be; it is never changed
        )
        self.counts = Counter(key.registry for key in versions)
        # Rows of other programs that were given an entity's key, by that key; see `core.diff.adopt`.
        self.aliases: dict[Key, Key] = {}
        self.order: Mapping[Key, int] | None = (
            None  # the positions that the replica keeps; None: not asked yet
        )
        self._rows: dict[Key, tuple[str, StoredRow]] = {}  # what the last pass read, with its version
        # All that differed in the last pass; None: not known.
        self._left: dict[Key, Difference] | None = None
        self.differences: Mapping[Key, Difference] = {}  # of the last pass, while this one runs
        self.standing: dict[Key, Operation] = {}  # what the last pass planned and was not allowed to do
        self.reported: dict[Key, Reported] = {}  # and what it reported of that

    @classmethod
    def recalled(
        cls, data_version: int | None, versions: Mapping[Key, str], counts: Counter[str], homes: KnownHomes
    ) -> "ReplicaMemory":
        """The memory of a replica that is equal to the home of another process, and so are its ledger entries.

        `versions` are the home's; nothing of them is looked at before it is needed.
        """
        memory = cls(data_version, {}, {}, homes)
        memory.versions = memory.applied = memory._home = versions
        memory.counts, memory._left = counts.copy(), {}
        return memory

    @classmethod
    def equal(
        cls, data_version: int | None, applied: Mapping[Key, str], homes: KnownHomes
    ) -> "ReplicaMemory":
        """The memory of a replica that holds what was last applied to it."""
        memory = cls(data_version, applied, {}, homes)
        memory.applied = memory.versions
        return memory

    def holds(
        self,
        replica: Replica,
        data_version: int | None,
        read_applied: Callable[[str], Mapping[Key, str] | None] | None,
    ) -> bool:
        """Whether it is true of a replica with this data version.

        `read_applied` reads what was last applied: with it all rows are read again, too, and nothing is taken on trust.
        """
        if data_version != self.data_version:
            return False
        return read_applied is None or (replica.is_unchanged() and read_applied(replica.name) == self.applied)

    def widened(self, since: Since | None) -> Since | None:
        """What may differ now: what changed since the last pass, and what that left; None is everything."""
        left, self._left = self._left, None  # what a pass that breaks off leaves behind is unknown
        self.differences = left or {}
        if since is None or left is None:
            return None
        # In their order, because thousands need not be sorted again.
        return Since(since.before, dict.fromkeys((*left, *since.keys)).keys())

    def leave(self, plan: Plan, verdict: Verdict, *, is_known: bool) -> None:
        """Note what the pass found; `is_known` says whether all the others will agree in the next one, too."""
        self._left = {d.key: d for d in plan.diff.differences} if is_known else None
        self.differences = {}
        self.standing = {o.key: o for o in (*verdict.held, *verdict.waiting)}

    def rows_under(
        self, names: Mapping[Key, Key], read: Callable[[Iterable[Key]], dict[Key, StoredRow]]
    ) -> dict[Key, StoredRow]:
        """The rows of these keys, by the names they are stored under; `read` fetches those that are not known.

        What waits to be deleted or written comes up in every pass, and thousands of rows take seconds to read.
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
        # A row that is gone since, or that its damaged key does not find again, says nothing.
        fresh = {key: found.get(name, StoredRow(key, {})) for key, name in unread.items()}
        self._rows = known | {
            key: (self.versions[key], row) for key, row in fresh.items() if key in self.versions
        }
        return fresh | {key: row for key, (_, row) in known.items()}

    def remember(self, rows: Mapping[Key, StoredRow]) -> None:
        """These are there as well: what waits need not be read in the next pass."""
        self._rows |= {key: (self.versions[key], row) for key, row in rows.items()}

    def adopt(self, versions: Mapping[Key, str], aliases: Mapping[Key, Key]) -> None:
        """Take over what `core.diff.adopt` found."""
        if aliases:
            self.versions = dict(versions)
            self.aliases.update(aliases)

    def share(self, wanted: Mapping[Key, str]) -> None:
        """Hold the home's own versions where these are equal to them: copies for each replica add up."""
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
        """Follow what the pass wrote: operations that were carried out, and bookkeeping that was settled.

        `drops_replaced` is the replica's: other replicas keep a row whose entity_id another one has now.
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
                    left.pop(operation.key, None)  # it is equal now, and only this row was touched
        applied = _settle(versions, applied, settled)
        self.versions, self.applied = versions, applied
        if len(operations) * _ROWS_PER_WRITE_MAX >= len(versions):
            self.share(wanted)

    def _fill(self, wanted: Mapping[Key, str]) -> None:
        """Nothing was there, and all that is wanted was written."""
        self.versions = self.applied = self._home = wanted
        self.counts = Counter(key.registry for key in wanted)
        self._left = {} if self._left is not None else None

    def is_equal(self, wanted: Mapping[Key, str]) -> bool:
        """Whether the replica holds exactly these versions and the ledger agrees."""
        return self.versions == wanted and self.applied == wanted

    def _own(self, versions: Mapping[Key, str]) -> dict[Key, str]:
        """Versions that may be changed: those of a memory are its own, unless they are the home's."""
        is_own = isinstance(versions, dict) and versions is not self._home
        return versions if is_own else dict(versions.items())  # type: ignore[return-value]


def _settle(
    versions: dict[Key, str], applied: dict[Key, str], settled: Sequence[tuple[Key, str | None]]
) -> dict[Key, str]:
    """Versions last applied with the bookkeeping of a pass; those of `versions` themselves stay these if it agrees with them."""
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


def known_to(memories: Sequence[ReplicaMemory]) -> Mapping[Key, str]:
    """What some replica holds of ours, as it was last applied."""
    # Merged only when something iterates over all of it.
    return (
        memories[0].applied
        if len(memories) == 1
        else ChainMap(*(cast("MutableMapping[Key, str]", m.applied) for m in memories))
    )


def versions_of(replica: Replica, snapshot: Snapshot) -> Mapping[Key, str]:
    """The versions of a replica that is equal to a snapshot."""
    return snapshot.home.row_versions if replica.stores_derived else snapshot.home.hashes


def rows_of(
    replica: Replica, memory: ReplicaMemory, keys: Sequence[Key], since: Since | None
) -> dict[Key, StoredRow]:
    """The rows of these keys: made of the snapshot that the replica was found equal to, or read."""
    rows: dict[Key, StoredRow] = {}
    if since is not None and since.before is not None:
        before = since.before
        versions = versions_of(replica, before)
        derived = before.home.derived if replica.stores_derived else {}
        rows = {
            key: row_of(before.home.records[key], derived.get(key))
            for key in keys
            # Equal versions are equal rows.
            if key in before.home.records and memory.versions[key] == versions[key]
        }
    names = {key: memory.aliases.get(key, key) for key in keys if key not in rows}
    found = memory.rows_under(names, replica.read)
    memory.remember(rows)
    return rows | found
