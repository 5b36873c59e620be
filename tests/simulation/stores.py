"""Replicas that fail before, within and after every step, that others write to, and that keep account.

`HostileStore` stands around any replica (and its ledger, where that is the same store). What it holds is known
to the oracle without asking the engine; every write is judged as it happens.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import trio

from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.guards.absences import Absences
from engine.core.guards.look import Look
from engine.core.home.home import row_version
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key
from engine.errors import ReplicaDamaged, ReplicaDiverged, ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.ports import Ledger, Observed, Replica, Run
from tests.fakes.world import MemoryLedger, MemoryReplica

T = TypeVar("T")
# The calls that a fault can be set on.
CALLS = (
    "data_version",
    "observe",
    "read",
    "apply",
    "applied",
    "home",
    "absences",
    "known_ids",
    "record_applied",
    "note_absences",
)


@dataclass(frozen=True)
class Fault:
    """The next call of `call` fails: `before` it did anything, in the `middle`, or `after` it was done.

    `foreign` is not a failure: another program writes to the store right after the call.
    """

    call: str
    when: str


@dataclass(frozen=True)
class Write:
    """One call of `apply`: what was held before and after (versions), and what the engine wanted."""

    store: "HostileStore"
    operations: tuple[Operation, ...]
    run: Run
    before: dict[Key, str]
    after: dict[Key, str]
    done: bool  # all of it


@dataclass
class Tampering:
    """What others did to a store since the engine last looked at it well."""

    changed: dict[Key, float] = field(default_factory=dict)  # virtual time, by key
    traced: set[Key] = field(default_factory=set)  # those whose change moved the data version
    foreign: set[Key] = field(default_factory=set)


class HostileStore(Replica, Ledger):
    """A replica, and the ledger if `ledger` is given, with faults and account."""

    name = ""
    stores_derived = True
    keeps_ledger = False
    needs_tidying = False

    def __init__(
        self,
        replica: Replica,
        ledger: Ledger | None,
        tamper: Callable[["HostileStore", Random], Iterable[tuple[Key, bool]]],
        random: Random,
        on_write: Callable[[Write], None],
    ) -> None:
        self._replica = replica
        self._ledger = ledger
        self._tamper = tamper
        self._random = random
        self._on_write = on_write
        self.name = replica.name
        self.stores_derived = replica.stores_derived
        self.keeps_ledger = replica.keeps_ledger
        self.needs_tidying = replica.needs_tidying
        self.faults: list[Fault] = []
        self.down: str = ""  # unavailable or rejected: every call fails
        self.retry_after_seconds: float | None = None  # what it asks to wait while it is unavailable
        self.tampering = Tampering()
        self.has_failed = False  # the last write
        self.seen = set[Key]()  # of what others changed, what the last observe found
        self._held: dict[Key, str] | None = None

    @property
    def inner(self) -> Any:
        """The store itself."""
        return self._replica

    def held(self) -> dict[Key, str]:
        """The versions of what is held now."""
        if self._held is None:
            try:
                self._held = self._replica.observe().versions
            except ReplicaDamaged:
                return {}  # no reader finds a row there
        return self._held

    def forget_held(self) -> None:
        """Somebody wrote past this: look again."""
        self._held = None

    def disturb(self) -> None:
        """Somebody else writes to the store."""
        edits = getattr(self.inner, "edits", None)  # of a file, SQLite counts them
        for key, is_foreign in self._tamper(self, self._random):
            self.tampering.changed[key] = trio.current_time()
            if edits is None or edits != self.inner.edits:
                self.tampering.traced.add(key)
            else:
                self.tampering.traced.discard(key)
            if is_foreign:
                self.tampering.foreign.add(key)
            self.seen.discard(key)
        self._held = None

    # The replica

    def data_version(self) -> int | None:
        return self._do("data_version", self._replica.data_version)

    def file_signature(self) -> None:
        """Only the data version shows it: times of files do not follow virtual time."""

    def observe(self) -> Observed:
        self.seen = set(self.tampering.changed)  # what is changed meanwhile is taken out again
        try:
            return self._do("observe", self._replica.observe)
        except ReplicaError:
            self.seen.clear()
            raise

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        return self._do("read", lambda: self._replica.read(keys))

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        before = dict(self.held())
        self.has_failed = True  # unless it comes to its end
        fault = self._fail_early("apply")
        part = operations
        # A store with transactions does all or nothing: its middle is as good as its beginning.
        if fault == "middle":
            part = [] if self._ledger is not None else operations[: self._random.randint(0, len(operations))]
        if part:
            self._replica.apply(part, run)
            self._held = None
        is_whole = len(part) == len(operations)
        self._on_write(Write(self, tuple(part), run, before, self.held(), is_whole))
        if fault in ("middle", "after"):
            raise self._error()
        self.has_failed = False
        if fault == "foreign":
            self.disturb()

    def close(self) -> None:
        self._replica.close()

    # The ledger

    def applied(self, replica: str) -> dict[Key, str]:
        return self._do("applied", lambda: self._book.applied(replica))

    def home(self) -> frozenset[str]:
        return self._do("home", self._book.home)

    def absences(self) -> dict[Key, Look]:
        return self._do("absences", self._book.absences)

    def known_ids(self, keys: Iterable[Key]) -> frozenset[Key]:
        return self._do("known_ids", lambda: self._book.known_ids(keys))

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], at: float, *, place: str | None = None
    ) -> None:
        self._do("record_applied", lambda: self._book.record_applied(replica, versions, at, place=place))

    def note_absences(self, absences: Absences, at: Look) -> None:
        self._do("note_absences", lambda: self._book.note_absences(absences, at))

    def forget(self) -> bool:
        """Lose the ledger, if it stands by itself."""
        if not isinstance(self._ledger, MemoryLedger):
            return False
        self._ledger.versions.clear()
        self._ledger.missed.clear()
        return True

    def known(self, replica: str) -> dict[Key, str]:
        """The ledger's entries, read by the oracle."""
        return self._book.applied(replica)

    @property
    def _book(self) -> Ledger:
        assert self._ledger is not None
        return self._ledger

    def _do(self, call: str, work: Callable[[], T]) -> T:
        fault = self._fail_early(call)
        result = work()
        if fault in ("middle", "after"):
            raise self._error()
        if fault == "foreign":
            self.disturb()
        return result

    def _fail_early(self, call: str) -> str | None:
        if self.down:
            raise self._error()
        fault = next((f for f in self.faults if f.call == call), None)
        if fault is None:
            return None
        self.faults.remove(fault)
        if fault.when == "before":
            raise self._error()
        return fault.when

    def _error(self) -> ReplicaError:
        kinds: list[type[ReplicaError]] = [ReplicaUnavailable, ReplicaRejected, ReplicaDiverged]
        kind = {"unavailable": kinds[:1], "rejected": kinds[1:2]}.get(self.down, kinds)
        error = self._random.choice(kind)(self.name, "simulated")
        error.retry_after_seconds = self.retry_after_seconds
        return error


class KnownRows(MemoryReplica):
    """Rows in a dictionary that hash a record once, because histories are many and look often."""

    def __init__(self, name: str, *, stores_derived: bool = True) -> None:
        super().__init__(name, stores_derived=stores_derived)
        self._versions: dict[Key, tuple[object, str]] = {}

    def observe(self) -> Observed:
        versions = {}
        for key, row in self.rows.items():
            known, version = self._versions.get(key, (None, ""))
            if known is not row:
                version = row_version(content_hash(row[0]), row[1])
                self._versions[key] = row, version
            versions[key] = version
        return Observed(versions)


def content_of(version: str) -> str:
    """The content hash in a version."""
    return version.partition("+")[0]


def hash_of(operation: Operation) -> str | None:
    """The content hash that an operation writes; None when it deletes."""
    return None if operation.after is None else content_hash(operation.after)
