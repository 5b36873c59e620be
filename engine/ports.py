"""What the engine needs from the world, as contracts. Adapters implement them; only composition names adapters.

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

# Called with what is being read and how far it is: (what, done, total or None).
Progress = Callable[[str, int, int | None], None]


class Source(Protocol):
    """The desired state, never written to. What only some sources can do has a default: a class names this as its base."""

    @property
    def origin(self) -> str:
        """The source as a person would name it, without secrets."""

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry in full. Raises SourceError; a partial read raises, it is never returned."""

    @property
    def can_be_followed(self) -> bool:
        """Whether it sends hints of changes."""
        return False

    def watch(self) -> AbstractAsyncContextManager["Watch"]:
        """Open the line. What changes from then on is hinted at. Raises SourceError, and TypeError for a source that cannot be followed."""
        raise TypeError(f"{self.origin} sends no hints of changes")


class Watch(Protocol):
    """An open line to the source: a full list, hints of what changed since, and a closer look at those."""

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry in full, as `Source.read`."""

    async def wait_for_hints(self) -> Hints:
        """Wait until something may have changed; all that is known by then. Raises SourceError when cut off."""

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        """Look again where the hints point, and only there. Raises SourceError."""

    async def heartbeat(self) -> float | None:
        """Ask for an answer: the Unix time up to which all changes were hinted at, None if that is not known. Raises SourceError."""


class Observed(msgspec.Struct, frozen=True):
    """The version of every row, recomputed from it. One without a registry id is under its entity_id (see `core.diff.adopt`)."""

    versions: dict[Key, str]
    is_inherited: bool = False  # an earlier owner of the home may have written since, and booked it elsewhere


class Replica(Protocol):
    """A store kept equal to the source. What only some stores are or do has a default: a class names this as its base."""

    @property
    def name(self) -> str:
        """The replica's name in reports and metrics: sqlite, history, influxdb."""

    @property
    def stores_derived(self) -> bool:
        """Whether rows carry derived columns, so that versions are row versions."""

    @property
    def keeps_ledger(self) -> bool:
        """Whether it is the `Ledger` too, so that `apply` also records what it wrote."""
        return False

    @property
    def drops_replaced(self) -> bool:
        """Whether a row goes when another entity is written under its entity_id, because both cannot are there."""
        return False

    @property
    def is_exclusive(self) -> bool:
        """Whether only this engine writes to it, so that everything it holds of the home is ours."""
        return False

    @property
    def remembers_home(self) -> bool:
        """Whether it remembers which home it is of, beyond the records that it holds."""
        return False

    @property
    def keeps_order(self) -> bool:
        """Whether it keeps the user's order of areas and floors, which no record says, for who restores from it."""
        return False

    @property
    def needs_tidying(self) -> bool:
        """Whether it has work to do that may wait until there is nothing else to do."""
        return False

    def data_version(self) -> int | None:
        """A number that changes when another program wrote to the store; None when the store cannot know."""

    def file_signature(self) -> Hashable | None:
        """What any write changes: while it stays equal, so does the data version; None if unknown. Never waits, never raises."""

    def is_overtaken(self, data_version: int | None) -> bool:
        """Whether its files were replaced or edited as files since the data version was this one. Never waits, never raises."""
        return False

    def observe(self) -> Observed:
        """The versions of all rows, hashed from what the rows hold now. An absent store is empty."""

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        """The rows of the given keys that exist."""

    def apply(self, operations: Sequence[Operation], run: "Run") -> None:
        """Carry out all operations in order, or none if it can, with what `run` keeps, durably. Raises ReplicaDiverged if read back otherwise."""

    def upkeep(self, desired: Snapshot, run: "Run") -> None:
        """Do what is due even when nothing differs, say renew what retention would drop."""
        return

    def take_note(self) -> str | None:
        """What a write corrected beyond its task, or what else is wrong, for people; returned once."""
        return None

    def home(self) -> frozenset[str]:
        """The config entries (ids) that the home ever had. For a replica that remembers its home."""
        return frozenset()

    def remember_home(self, entry_ids: frozenset[str]) -> None:
        """Be of the home with these config entries from now on. For a replica that remembers its home."""
        return

    def order(self) -> Mapping[Key, int]:
        """The positions that were kept last; none where none were. For a replica that keeps the user's order."""
        return {}

    def keep_order(self, positions: Mapping[Key, int], run: "Run") -> None:
        """Keep these positions in place of earlier ones. For a replica that keeps the user's order."""
        return

    def digest(self, *, seed: int | None = None, reread: bool = True) -> str | None:
        """A digest over all columns of all rows; None if it is not available at little cost, or the rows cannot be ours.

        `seed` is drawn by the caller, None is one of the replica's own; only digests of one seed can be compared.
        Unless it may `reread`, None also if another program wrote since the rows were read.
        """
        return None

    def is_unchanged(self) -> bool:
        """Whether all rows, read again as by any other program, are those of the last digest and of what was applied since."""
        return False

    @property
    def held_log_bytes(self) -> int:
        """How much could not be tidied away the last time, because another program still reads it."""
        return 0

    def tidy(self, *, is_calm: bool) -> bool:
        """Tidy up after a pass, what takes long only while all `is_calm`. True once nothing is left. Raises ReplicaError."""
        return True

    def forget_pages(self) -> None:
        """Free what is remembered of a file, to read it again. Raises ReplicaError. For a replica that needs tidying."""
        return

    def close(self) -> None:
        """Release the store. May be called twice."""


class Run(msgspec.Struct, frozen=True):
    """One writing pass: its id, when it began to write, where from. Times are Unix seconds."""

    run_id: str
    at: float
    origin: str
    ha_version: str | None
    desired: Mapping[Key, str] = {}  # the versions being written, for rows' own bookkeeping
    read_at: float | None = None  # when Home Assistant was read
    snapshot: Snapshot | None = None  # the whole, for a store that records it too
    home: frozenset[str] | None = None  # to be remembered with what is written; None: as it is
    order: Mapping[Key, int] | None = None  # to be kept with what is written; None: as it is


class Ledger(Protocol):
    """The engine's memory between passes: what was last applied where, and what was first missed when."""

    def applied(self, replica: str) -> dict[Key, str]:
        """The versions last applied to a replica."""

    def home(self) -> frozenset[str]:
        """The config entries (ids) that the home ever had, as far as the engine remembers."""

    def absences(self) -> dict[Key, Look]:
        """The look that first missed each missing key."""

    def known_ids(self, keys: Iterable[Key]) -> frozenset[Key]:
        """Those of the keys that Home Assistant was ever seen to have."""

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], at: float, *, place: str | None = None
    ) -> None:
        """Record (or, with None, forget) last applied versions, as of `at` (Unix seconds), and note their `place`, all or nothing."""

    def note_absences(self, absences: Absences, at: Look) -> None:
        """Remember what was first missed by a look, forget what returned, and what is moot. For nothing it opens no transaction."""

    def found(self, replica: str) -> Mapping[FoundKey, FirstSeen]:
        """When differences of a replica were found first that nothing else dates."""
        return {}

    def note_found(self, replica: str, found: Mapping[FoundKey, FirstSeen]) -> None:
        """Remember these of a replica, in place of earlier ones."""
        return

    def place(self, replica: str) -> str | None:
        """The store that its entries for a replica are about; None when that is not known."""
        return None

    def ledger_digest(self, replica: str) -> str | None:
        """A digest over the versions last applied to a replica; None if it is not available."""
        return None

    def secret(self) -> bytes | None:
        """The key that seals what belongs to this ledger; None if there is none."""
        return None

    def make_secret(self) -> bytes | None:
        """As `secret`, but drawn where there is none; None for a ledger that keeps none."""
        return None


class Records(Replica, Protocol):
    """A replica that also keeps earlier versions: all of them, unless it is set to forget."""

    def timeline(self, key: Key, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        """The revisions of a key behind the one numbered `after`, oldest first, at most `limit`."""

    def newest(self, key: Key, limit: int, *, before: int | None = None) -> list[Revision]:
        """The newest revisions of a key, of those before the one numbered `before`; oldest first, at most `limit`."""

    def count(self, key: Key) -> int:
        """How many revisions a key has."""

    def holders(self, entity_id: str) -> list[Key]:
        """The entities that ever had this entity_id, in any order. Looks through all of their revisions."""

    def as_of(self, at: float) -> dict[Key, Revision]:
        """The newest revision of every record live at a time (Unix seconds). Raises HistoryForgotten before what is kept."""

    def as_of_record(self, at: float, registry: str, asked: str) -> dict[Key, Revision]:
        """As `as_of`, but only what one record, known by its id or entity_id, is shown with. A store without an index gives all."""
        return self.as_of(at)

    def edge(self, at: float) -> Hashable | None:
        """What stays the same as long as `as_of` does; None if that is not known at once. Raises HistoryForgotten as it does."""
        return None

    def begins_at(self) -> float | None:
        """When the first revision that is kept was made, Unix seconds; None if it is not known."""
        return None

    def forgotten(self, key: Key) -> Forgotten:
        """What is not known any more, of the home and of this record."""
        return NOTHING_FORGOTTEN

    def delays(self, since: float) -> Sequence[tuple[float, float]]:
        """(Unix seconds, seconds behind Home Assistant's change) of updates since then; none where they are not at hand."""
        return ()

    def growth(self) -> Growth | None:
        """What was found out about its growth when it was tidied last; None if it is not this program's to know."""
        return None


class Outbox(Protocol):
    """Batches that must reach a replica although this process may die first."""

    def put(self, replica: str, body: bytes) -> int:
        """Keep a batch durably before it is sent; returns its number. Raises ReplicaUnavailable when full."""

    def pending(self, replica: str) -> list[tuple[int, bytes]]:
        """Batches not yet dropped, oldest first."""

    def drop(self, number: int) -> None:
        """Forget a batch that arrived."""
