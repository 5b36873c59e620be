"""The interfaces that the host provides to the API. All values are plain or the engine core's."""

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
        """A number that grows with every commit to the store."""

    def page(
        self, registry: str, columns: Sequence[str], filters: Sequence[Filter], after: str, limit: int, /
    ) -> list[Row]:
        """Rows after a key, by key: the key, then the named columns."""

    def count(self, registry: str, filters: Sequence[Filter], /) -> int:
        """The number of all rows."""

    def keys(self, registry: str, filters: Sequence[Filter], sort: str | None = None, /) -> list[str]:
        """The keys of all rows of `page`, sorted by a column, rows without a value last, or by key."""

    def keyed(self, registry: str, columns: Sequence[str], keys: Sequence[str], /) -> list[Row]:
        """The rows with these keys, in the order of the keys."""

    def facets(
        self, registry: str, names: Sequence[str], filters: Sequence[Filter], /
    ) -> dict[str, list[tuple[str, int]]]:
        """By name: (value, number of rows), most frequent first."""

    def texts(self, registry: str, /) -> Mapping[str, str]:
        """The searchable text of each row, in lower case, by key."""

    def found(self, registry: str, words: Sequence[str], /) -> list[str]:
        """The keys, in order, of the rows whose texts contain all of these words, given in lower case."""

    def row(self, registry: str, columns: Sequence[str], id_: str, /) -> Row | None:
        """One row by its key."""

    def rows(self, registry: str, columns: Sequence[str], ids: Sequence[str], /) -> list[Row]:
        """The existing rows with these registry ids, in any order: the key, then the columns."""

    def spelled(self, registry: str, asked: str, /) -> str:
        """The key of the one row whose key or registry id is `asked` in another case; else `asked`, without blanks around it."""

    def former(self, registry: str, name: str, /) -> Sequence[Former]:
        """The records that ever had this id or entity_id, in any case, as far as feed and tombstones reach."""

    def feed_bounds(self) -> tuple[int, int]:
        """The oldest and newest sequence number of the change feed; (0, 0) while it is empty."""

    def changes(self, after: int, limit: int, registry: str | None = None, until: int = ..., /) -> list[Row]:
        """(seq, op, registry, id, before JSON, after JSON, Unix seconds, cause, run id, ha version), oldest first."""

    def change_counts(self, after: int, since: float, seconds: int, /) -> list[tuple[int, int]]:
        """(Unix time // seconds, number of changes), in the feed after `after` and not older than `since`."""

    def runs(self, before: str | None, limit: int, /) -> list[Row]:
        """(run id, started at, origin, ha version, upserts, moves, deletes), newest first."""

    def run(self, run_id: str, /) -> Row | None:
        """One of `runs`."""


# Makes rows in memory from records, their derived values, and the times they were recorded (Unix seconds), for one thread
# at a time. Raises SourceInvalid for values that no row can hold.
MakeRows = Callable[[Mapping[Key, Record], Mapping[Key, Derived], Mapping[Key, float]], ReadTransaction]


class RowsReader(Protocol):
    """The rows, off the event loop."""

    def data_version(self) -> int | None:
        """A number that changes only with a commit to the store; None if it is not available immediately."""

    async def read(self, job: Callable[[Any], T], /) -> T:
        """The result of `job` on a `ReadTransaction`, in a worker thread. Raises ReplicaError when the store cannot be read."""


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
        """The revision's number within its key."""

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
        """The version of the Home Assistant it came from, if the store keeps that."""

    def record(self) -> Record:
        """Its record. Raises SourceInvalid when there is none, or it cannot be read."""


class Timeline(Protocol):
    """The past, from the records replica. Synchronous; called from one worker thread at a time."""

    def timeline(self, key: Key, *, after: int = 0, limit: int | None = None) -> Sequence[PastRevision]:
        """The revisions of a key after the one numbered `after`, oldest first, at most `limit`. Raises ReplicaError."""

    def newest(self, key: Key, limit: int, *, before: int | None = None) -> Sequence[PastRevision]:
        """The newest revisions of a key, before the one numbered `before` if given; oldest first, at most `limit`."""

    def count(self, key: Key) -> int:
        """The number of revisions of a key."""

    def holders(self, entity_id: str, /) -> Sequence[Key]:
        """The entities that ever had this entity_id. Raises ReplicaError."""

    def as_of(self, at: float, /) -> Mapping[Key, PastRevision]:
        """The newest revision of every record that was live at a time (Unix seconds). Raises ReplicaError.

        Raises HistoryForgotten for a time before the retained history.
        """

    def as_of_record(self, at: float, registry: str, asked: str, /) -> Mapping[Key, PastRevision]:
        """As `as_of`, but at least the records shown with one record, given by its id or entity_id."""

    def edge(self, at: float, /) -> Hashable | None:
        """A value that changes only when `as_of` does; None if it is not available immediately. Raises HistoryForgotten like `as_of`."""

    def delays(self, since: float, /) -> Sequence[tuple[float, float]]:
        """(Unix seconds, seconds after Home Assistant's change) of the updates since then. Raises ReplicaError."""

    def begins_at(self) -> float | None:
        """The time of the oldest stored record, Unix seconds; None if unknown. Raises ReplicaError."""

    def forgotten(self, key: Key, /) -> Forgotten:
        """What was forgotten about the home and this record. Raises ReplicaError."""
