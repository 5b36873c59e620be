"""The engine's needs from the world, as protocols. Adapters implement them; only composition names adapters.

Replicas are synchronous: the loop calls them in a worker thread. Every method may be called again after any
failure, and raises ReplicaError or nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.guards.absences import Absences
from engine.core.guards.look import FirstSeen, Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.hints import Hints
from engine.core.state.kept_past import NOTHING_FORGOTTEN, Forgotten, Growth
from engine.core.state.report import FoundKey

# Called with the progress of a read: (what, done, total or None).
Progress = Callable[[str, int, int | None], None]


class Source(Protocol):
    """The desired state, never written to. Optional abilities have defaults here, so classes inherit from it explicitly."""

    @property
    def origin(self) -> str:
        """The source as shown to users, without secrets."""

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry in full. Raises SourceError; a partial read raises, it is never returned."""

    @property
    def can_be_followed(self) -> bool:
        """Whether it sends hints of changes."""
        return False

    def watch(self) -> AbstractAsyncContextManager["Watch"]:
        """Open a connection that sends hints of all later changes. Raises SourceError, and TypeError if it cannot be followed."""
        raise TypeError(f"{self.origin} sends no hints of changes")


class Watch(Protocol):
    """An open connection to the source: full reads, hints of later changes, and partial reads of those."""

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry in full, as `Source.read`."""

    async def wait_for_hints(self) -> Hints:
        """Wait until something may have changed, and return all hints. Raises SourceError when the connection ends."""

    @property
    def unread_since(self) -> float | None:
        """When the first hint came that no finished read covers, Unix seconds; None if there is none."""

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        """Read only the records that the hints name. Raises SourceError."""

    async def heartbeat(self) -> float | None:
        """Request an answer; returns the Unix time up to which all changes were hinted at, None if unknown. Raises SourceError."""


class Observed(msgspec.Struct, frozen=True):
    """The version of every row, recomputed from it. Rows without a registry id are under their entity_id (see `core.compare.diff.adopt`)."""

    versions: dict[Key, str]
    is_inherited: bool = False  # an earlier owner of the home may have written since, with another ledger


class Replica(Protocol):
    """A store kept equal to the source. Optional traits have defaults here, so classes inherit from it explicitly."""

    @property
    def name(self) -> str:
        """The replica's name in reports and metrics: sqlite, history, influxdb."""

    @property
    def stores_derived(self) -> bool:
        """Whether rows have derived columns, so that versions are row versions."""

    @property
    def keeps_ledger(self) -> bool:
        """Whether it is also the `Ledger`, so that `apply` records its own writes."""
        return False

    @property
    def drops_replaced(self) -> bool:
        """Whether writing another entity with a row's entity_id removes that row, because they cannot both exist."""
        return False

    @property
    def is_exclusive(self) -> bool:
        """Whether only this engine writes to it, so that all of its rows of the home are ours."""
        return False

    @property
    def remembers_home(self) -> bool:
        """Whether it remembers its home beyond the records that it holds."""
        return False

    @property
    def keeps_order(self) -> bool:
        """Whether it keeps the user's order of areas and floors, which records lack, so that rows can be restored from it."""
        return False

    @property
    def needs_tidying(self) -> bool:
        """Whether it has housekeeping that may wait until the loop is idle."""
        return False

    def data_version(self) -> int | None:
        """A number that changes when another program writes to the store; None if the store cannot know."""

    def file_signature(self) -> Hashable | None:
        """A value that any write changes: while it is equal, so is the data version; None if unknown. Never waits, never raises."""

    def is_overtaken(self, data_version: int | None) -> bool:
        """Whether its files were replaced, or edited without the database, since this data version. Never waits, never raises."""
        return False

    def observe(self) -> Observed:
        """The versions of all rows, hashed from their current values. An absent store is empty."""

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        """The rows of the given keys that exist."""

    def apply(self, operations: Sequence[Operation], run: "Run") -> None:
        """Write all operations in order, with `run`'s home and order, durably, and atomically if it can. Raises ReplicaDiverged."""

    def upkeep(self, desired: Snapshot, run: "Run") -> None:
        """Do the work that is due even without differences, such as renewing points that retention would drop."""
        return

    def take_note(self) -> str | None:
        """A note for users on corrections beyond the plan, or on another fault; returned once."""
        return None

    def home(self) -> frozenset[str]:
        """The config entries (ids) that the home ever had. For a replica that remembers its home."""
        return frozenset()

    def remember_home(self, entry_ids: frozenset[str]) -> None:
        """Remember that it belongs to the home with these config entries. For a replica that remembers its home."""
        return

    def order(self) -> Mapping[Key, int]:
        """The positions last kept; empty if there are none. For a replica that keeps the user's order."""
        return {}

    def keep_order(self, positions: Mapping[Key, int], run: "Run") -> None:
        """Keep these positions instead of earlier ones. For a replica that keeps the user's order."""
        return

    def digest(self, *, seed: int | None = None, reread: bool = True) -> str | None:
        """A digest of all columns of all rows; None if it is not available cheaply, or the rows cannot be ours.

        `seed` is chosen by the caller, None means the replica's own; only digests with the same seed are comparable.
        Without `reread`, None also if another program wrote since the rows were read.
        """
        return None

    def is_unchanged(self) -> bool:
        """Whether all rows, read again like any other program does, match the last digest and the operations applied since."""
        return False

    @property
    def held_log_bytes(self) -> int:
        """The bytes of log that the last `tidy` could not move, because another program still reads them."""
        return 0

    def tidy(self, *, is_calm: bool) -> bool:
        """Do housekeeping after a pass, long steps only when `is_calm`. True if nothing is left to do. Raises ReplicaError."""
        return True

    def forget_pages(self) -> None:
        """Free the page cache of a file, which can be read again. Raises ReplicaError. For a replica that needs tidying."""
        return

    def close(self) -> None:
        """Release the store. May be called twice."""


class Run(msgspec.Struct, frozen=True):
    """One writing pass: its id, when it began to write, and its source. Times are Unix seconds."""

    run_id: str
    at: float
    origin: str
    ha_version: str | None
    desired: Mapping[Key, str] = {}  # the versions being written, for the rows' own version columns
    read_at: float | None = None  # when Home Assistant was read
    snapshot: Snapshot | None = None  # the whole snapshot, for a store that needs it
    home: frozenset[str] | None = None  # to remember with the writes; None: unchanged
    order: Mapping[Key, int] | None = None  # to keep with the writes; None: unchanged


class Ledger(Protocol):
    """The engine's memory between passes: last applied versions by replica, and absences."""

    def applied(self, replica: str) -> dict[Key, str]:
        """The versions last applied to a replica."""

    def home(self) -> frozenset[str]:
        """The config entries (ids) that the home ever had, as far as they are remembered."""

    def absences(self) -> dict[Key, Look]:
        """The look that first missed each missing key."""

    def known_ids(self, keys: Iterable[Key]) -> frozenset[Key]:
        """The keys that Home Assistant is known to have had."""

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], at: float, *, place: str | None = None
    ) -> None:
        """Record (or, with None, forget) last applied versions, as of `at` (Unix seconds), and their `place`, all or nothing."""

    def note_absences(self, absences: Absences, at: Look) -> None:
        """Remember the keys that a look first missed, and forget returned and moot ones. Opens no transaction if there are none."""

    def found(self, replica: str) -> Mapping[FoundKey, FirstSeen]:
        """When those differences of a replica that nothing else dates were first found."""
        return {}

    def note_found(self, replica: str, found: Mapping[FoundKey, FirstSeen]) -> None:
        """Remember these for a replica, instead of earlier ones."""
        return

    def place(self, replica: str) -> str | None:
        """The store that the entries for a replica are about; None if unknown."""
        return None

    def ledger_digest(self, replica: str) -> str | None:
        """A digest of the versions last applied to a replica; None if it is not available."""
        return None

    def secret(self) -> bytes | None:
        """The key that seals caches of this ledger; None if there is none."""
        return None

    def make_secret(self) -> bytes | None:
        """As `secret`, but creates a missing key; None for a ledger that keeps none."""
        return None


class Records(Replica, Protocol):
    """A replica that also keeps earlier versions: all of them, unless it is set to forget."""

    def timeline(self, key: Key, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        """The revisions of a key after the one numbered `after`, oldest first, at most `limit`."""

    def newest(self, key: Key, limit: int, *, before: int | None = None) -> list[Revision]:
        """The newest revisions of a key before the one numbered `before`, oldest first, at most `limit`."""

    def count(self, key: Key) -> int:
        """The number of revisions of a key."""

    def holders(self, entity_id: str) -> list[Key]:
        """The entities that ever had this entity_id, in any order. Searches all of their revisions."""

    def as_of(self, at: float) -> dict[Key, Revision]:
        """The newest revision of every record that existed at a time (Unix seconds). Raises HistoryForgotten for a forgotten time."""

    def as_of_record(self, at: float, registry: str, asked: str) -> dict[Key, Revision]:
        """As `as_of`, but only one record, given by id or entity_id, and those shown with it. A store without an index returns all."""
        return self.as_of(at)

    def edge(self, at: float) -> Hashable | None:
        """A value that stays equal as long as the result of `as_of`; None if that is not known at once. Raises HistoryForgotten like it."""
        return None

    def begins_at(self) -> float | None:
        """The time of the oldest kept revision, Unix seconds; None if unknown."""
        return None

    def forgotten(self, key: Key) -> Forgotten:
        """What has been forgotten of the home and of this record."""
        return NOTHING_FORGOTTEN

    def delays(self, since: float) -> Sequence[tuple[float, float]]:
        """(Unix seconds, seconds behind Home Assistant's change) of updates since then; empty if not quickly available."""
        return ()

    def growth(self) -> Growth | None:
        """The growth found by the last `tidy`; None if the store does not report it."""
        return None
