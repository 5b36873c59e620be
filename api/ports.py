"""What the API is given by its host, as contracts. Every value that crosses is plain or the engine core's."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from engine.core.home.derived import Derived
from engine.core.records.record import Json, Key, Record
from engine.core.state.fate import Former
from engine.core.state.kept_past import Forgotten
from engine.core.state.status import Status

T = TypeVar("T")

Row = tuple[Any, ...]
Filter = tuple[str, str | bool]
Clock = Callable[[], float]  # Unix seconds
StatusSource = Callable[[], Status]
# The scraper's Accept header -> (body, content type); answers from memory.
MetricsSource = Callable[[str], Awaitable[tuple[bytes, str]]]
# Called for every finished request: (route template or "unmatched", method, status code, seconds).
Observer = Callable[[str, str, int, float], None]


class ReadTransaction(Protocol):
    """The store at one moment. Valid only inside a job, in the job's thread."""

    @property
    def revision(self) -> int:
        """Higher after every commit to the store."""

    def page(
        self, registry: str, columns: Sequence[str], filters: Sequence[Filter], after: str, limit: int, /
    ) -> list[Row]:
        """Rows behind a key, by key: the key, then the named columns."""

    def count(self, registry: str, filters: Sequence[Filter], /) -> int:
        """How many rows there are in all."""

    def keys(self, registry: str, filters: Sequence[Filter], sort: str | None = None, /) -> list[str]:
        """The keys of all rows that `page` gives, by a column, what has no value last, or by key."""

    def keyed(self, registry: str, columns: Sequence[str], keys: Sequence[str], /) -> list[Row]:
        """The rows with these keys, in the order of the keys."""

    def facets(
        self, registry: str, names: Sequence[str], filters: Sequence[Filter], /
    ) -> dict[str, list[tuple[str, int]]]:
        """By name (value, how many rows have it), the most frequent first."""

    def texts(self, registry: str, /) -> Mapping[str, str]:
        """What is searched in each row, in lower case, by key."""

    def found(self, registry: str, words: Sequence[str], /) -> list[str]:
        """The keys of the rows whose texts hold all of these words, which are in lower case; in their order."""

    def row(self, registry: str, columns: Sequence[str], id_: str, /) -> Row | None:
        """One row by its key."""

    def rows(self, registry: str, columns: Sequence[str], ids: Sequence[str], /) -> list[Row]:
        """Those of the rows with these registry ids that there are, in any order: the key, then the columns."""

    def former(self, registry: str, name: str, /) -> Sequence[Former]:
        """The records that were ever known by this id or entity_id, as far as feed and tombstones reach."""

    def feed_bounds(self) -> tuple[int, int]:
        """The oldest and newest sequence number of the change feed; (0, 0) while it is empty."""

    def changes(self, after: int, limit: int, registry: str | None = None, until: int = ..., /) -> list[Row]:
        """(seq, op, registry, id, before JSON, after JSON, Unix seconds, cause, run id, ha version), oldest first."""

    def change_counts(self, after: int, since: float, seconds: int, /) -> list[tuple[int, int]]:
        """(Unix time // seconds, number of changes), of the feed behind `after` and not older than `since`."""

    def runs(self, before: str | None, limit: int, /) -> list[Row]:
        """(run id, started at, origin, ha version, upserts, moves, deletes), newest first."""

    def run(self, run_id: str, /) -> Row | None:
        """One of `runs`."""


# Makes rows in memory of records, what is derived of them, and when each was recorded (Unix seconds), for one thread at
# a time. Raises SourceInvalid for values that no row holds.
MakeRows = Callable[[Mapping[Key, Record], Mapping[Key, Derived], Mapping[Key, float]], ReadTransaction]


class RowsReader(Protocol):
    """The rows, off the event loop."""

    def data_version(self) -> int | None:
        """A number that stays the same while no commit reaches the store; None when it is not known at once."""

    async def read(self, job: Callable[[Any], T], /) -> T:
        """What `job` makes of a `ReadTransaction`, in a worker thread. Raises ReplicaError when the store cannot be read."""


class PastRevision(Protocol):
    """One entry of a key's timeline."""

    @property
    def at(self) -> float:
        """Commit time, Unix seconds."""

    @property
    def op(self) -> str:
        """create, update, delete, refresh or repair."""

    @property
    def rev(self) -> int:
        """Number of the revision among those of its key."""

    @property
    def hash(self) -> str:
        """Content hash; "-" where the record ended."""

    @property
    def run_id(self) -> str:
        """The run that wrote it."""

    @property
    def fields(self) -> dict[str, Json]:
        """Canonical fields; empty if the record ended."""

    @property
    def ha_version(self) -> str | None:
        """The version of the Home Assistant that it came from, where the store keeps it."""

    def record(self) -> Record:
        """Its record. Raises SourceInvalid where there is none, or none that can be read."""


class Timeline(Protocol):
    """The past, from the records replica. Synchronous; called from one worker thread at a time."""

    def timeline(self, key: Key, *, after: int = 0, limit: int | None = None) -> Sequence[PastRevision]:
        """The revisions of a key behind the one numbered `after`, oldest first, at most `limit`. Raises ReplicaError."""

    def newest(self, key: Key, limit: int, *, before: int | None = None) -> Sequence[PastRevision]:
        """The newest revisions of a key, of those before the one numbered `before`; oldest first, at most `limit`."""

    def count(self, key: Key) -> int:
        """How many revisions a key has."""

    def holders(self, entity_id: str, /) -> Sequence[Key]:
        """The entities that ever had this entity_id. Raises ReplicaError."""

    def as_of(self, at: float, /) -> Mapping[Key, PastRevision]:
        """The newest revision of every record that was live at a time (Unix seconds). Raises ReplicaError.

        Raises HistoryForgotten for a time before what is kept.
        """

    def as_of_record(self, at: float, registry: str, asked: str, /) -> Mapping[Key, PastRevision]:
        """As `as_of`, but at least what one record, known by its id or entity_id, is shown with."""

    def edge(self, at: float, /) -> Hashable | None:
        """What stays the same as long as `as_of` does; None if that is not known at once. Raises HistoryForgotten as it does."""

    def delays(self, since: float, /) -> Sequence[tuple[float, float]]:
        """(Unix seconds, seconds behind Home Assistant's change) of the updates since then. Raises ReplicaError."""

    def begins_at(self) -> float | None:
        """When the first record that is kept was made, Unix seconds; None if that is not known. Raises ReplicaError."""

    def forgotten(self, key: Key, /) -> Forgotten:
        """What is not known any more, of the home and of this record. Raises ReplicaError."""
