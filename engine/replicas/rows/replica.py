"""The SQLite replica: rows that any program can read, and the engine's ledger in the same file.

A plan and its ledger entries commit in one transaction, so rows, last applied versions and change feed agree whenever
the program is killed. Reading the file changes nothing in it: the first write transaction creates the tables, or
adopts an existing HomeIQ database.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import apsw

from engine.core.compare.plan import Action, Operation
from engine.core.compare.stored import StoredRow
from engine.core.guards.absences import Absences
from engine.core.guards.look import FirstSeen, Look
from engine.core.records.record import Key
from engine.core.state.fate import Former
from engine.core.state.report import FoundKey
from engine.ports import Observed, Run
from engine.replicas.file_replica import FileReplica
from engine.replicas.rows.ledger import entries, feed
from engine.replicas.rows.ledger.found import read_found, write_found
from engine.replicas.rows.ledger.notes import LedgerNotes, write_place
from engine.replicas.rows.ledger.tombstones import Tombstone, read_tombstones
from engine.replicas.rows.queries.former_names import find_former
from engine.replicas.rows.reader import FoundRow, digests_of, find_rows, observe_rows, read_scopes
from engine.replicas.rows.schema import check_schema, ensure_schema
from engine.replicas.rows.summed_rows import SummedRows
from engine.replicas.rows.writing.writer import find_touched, write_operations
from engine.replicas.sqlite_file.database import ApswFile, FileAccess
from engine.replicas.sqlite_file.remembered_home import keep_home
from engine.replicas.sqlite_file.set_up import with_room

NAME = "sqlite"

_META = "reconcile_meta"
_DAY_SECONDS = 86_400.0
_MANY = 100  # deletes


class SqliteRows(FileReplica, LedgerNotes):
    """The rows file as a `Replica` and as the `Ledger` of all replicas. One thread at a time."""

    name = NAME
    stores_derived = True
    keeps_ledger = True
    drops_replaced = True
    remembers_home = True

    def __init__(self, file: ApswFile, *, changes_max: int, tombstone_days: float) -> None:
        self._file = file
        self._changes_max = changes_max
        self._tombstone_seconds = tombstone_days * _DAY_SECONDS
        self._planned_at_version = -1  # the data version that the newest plan is based on
        self._schema_version = -1  # at which all tables existed
        self._absences: tuple[int, dict[Key, Look]] | None = None  # as of the file's data version
        self._summed = SummedRows()  # true as long as the file is as seen

    def observe(self) -> Observed:
        """The versions of all rows, hashed from their current values. Raises ReplicaError."""
        with self._file.reading_uncached() as connection:
            self._file.note_seen()
            self._summed.forget()
            trusts = check_schema(connection, NAME)
            return Observed(observe_rows(connection, NAME, trust_digests=trusts))

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        """The rows of the given keys that exist. Raises ReplicaError."""
        with self._reading() as connection:
            return {key: found.stored for key, found in find_rows(connection, keys).items()}

    def category_scopes(self) -> frozenset[str]:
        """The scopes of the categories that it holds. Raises ReplicaError."""
        with self._reading() as connection:
            return read_scopes(connection)

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        """Write all operations and their ledger entries in one transaction, or none. Raises ReplicaError."""
        if not operations:
            return
        looked_at, touched = self._prepare(operations)
        with self._writing() as connection, with_room(connection) if touched is not None else nullcontext():
            version = self._file.data_version()
            summed = self._summed.taken() if self._file.is_as_seen() else SummedRows()
            found, planned = touched if looked_at == version else None, self._planned_at_version == version
            write_operations(
                connection, NAME, operations, run, is_as_planned=planned, touched=found, summed=summed
            )
            oldest = run.at - self._tombstone_seconds
            entries.prune(connection, changes_max=self._changes_max, tombstones_before=oldest)
            if run.home is not None:
                keep_home(connection, _META, run.home)
        self._summed = summed  # only after the commit

    def _prepare(self, operations: Sequence[Operation]) -> tuple[int, dict[Key, FoundRow] | None]:
        """The rows of many deletes, and the file's data version then: decoding them takes half the time of the write,
        during which no other program can write.
        """
        if sum(o.action is Action.DELETE for o in operations) < _MANY:
            return -1, None
        with self._reading() as connection:
            version, found = self._file.data_version(), find_touched(connection, operations)
            for operation in operations:
                if operation.action is Action.DELETE and operation.key in found:
                    _ = found[operation.key].kept
        return version, found

    def applied(self, replica: str) -> dict[Key, str]:
        """The versions last applied to a replica."""
        with self._reading() as connection:
            return entries.read_applied(connection, replica)

    def home(self) -> frozenset[str]:
        """The config entries of the home that this file belongs to, whichever replica they were written to."""
        with self._reading() as connection:
            return entries.read_home(connection)

    def remember_home(self, entry_ids: frozenset[str]) -> None:
        """Remember that the file belongs to the home with these config entries."""
        with self._writing() as connection:
            keep_home(connection, _META, entry_ids)

    def absences(self) -> dict[Key, Look]:
        """The look that first missed each missing key."""
        with self._reading() as connection:
            version = self._file.data_version()
            # Every pass needs them while thousands wait, and only this program writes them.
            if self._absences is None or self._absences[0] != version:
                self._absences = (version, entries.read_absences(connection))
            return dict(self._absences[1])

    def known_ids(self, keys: Iterable[Key]) -> frozenset[Key]:
        """The keys that Home Assistant is known to have had, as far as the feed and tombstones reach."""
        with self._reading() as connection:
            return entries.read_known(connection, list(keys))

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], at: float, *, place: str | None = None
    ) -> None:
        """Record (or, with None, forget) last applied versions, and `place`, as of `at` (Unix seconds). Opens no transaction for nothing."""
        settled = dict(versions)
        if not settled and place is None:
            return
        with self._writing() as connection:
            if place is not None:
                write_place(connection, replica, place)
            entries.forget_applied(
                connection, replica, [key for key, version in settled.items() if version is None]
            )
            recorded = {key: version for key, version in settled.items() if version is not None}
            digests = digests_of(connection, recorded) if replica == NAME else {}
            applied = ((key, version, digests.get(key)) for key, version in recorded.items())
            entries.write_applied(connection, replica, applied, at)

    def note_absences(self, absences: Absences, at: Look) -> None:
        """Remember new absences, forget those that ended. Opens no transaction for nothing."""
        over = set(absences.returned)
        if absences.moot:
            with self._reading() as connection:
                # Another replica, which was unreachable, may still have to delete a record that this one no longer holds.
                over |= absences.moot - entries.read_held(connection, sorted(absences.moot))
        if absences.begun or over:
            with self._writing() as connection:
                self._absences = None
                entries.write_absences(connection, sorted(absences.begun), sorted(over), at)

    def found(self, replica: str) -> dict[FoundKey, FirstSeen]:
        """When differences of a replica were first found."""
        with self._reading() as connection:
            return read_found(connection, replica)

    def note_found(self, replica: str, found: Mapping[FoundKey, FirstSeen]) -> None:
        """Remember these for a replica, instead of earlier ones."""
        with self._writing() as connection:
            write_found(connection, replica, found)

    def digest(self, *, seed: int | None = None, reread: bool = True) -> str | None:
        """A digest of all rows; None if they cannot be ours. See `Replica.digest`. Raises ReplicaError."""
        with self._reading() as connection:
            return self._summed.digest(connection, self._file, seed, reread=reread)

    def is_unchanged(self) -> bool:
        """Whether all rows are unchanged, except by operations applied since. See `Replica.is_unchanged`. Raises ReplicaError."""
        with self._file.reading_uncached() as connection:
            check_schema(connection, NAME)
            return self._file.is_as_seen() and self._summed.is_true(connection)

    def changes(self, after: int, limit: int) -> list[feed.FeedEntry]:
        """The change feed after sequence number `after`, oldest first, at most `limit` entries."""
        with self._reading() as connection:
            return feed.read_changes(connection, after, limit)

    def last_change(self, key: Key) -> feed.FeedEntry | None:
        """The newest entry of the change feed about a key."""
        with self._reading() as connection:
            return feed.read_last_change(connection, key)

    def former(self, name: str) -> list[Former]:
        """The records that ever had this id or entity_id, as far as feed and tombstones reach."""
        with self._reading() as connection:
            return find_former(connection, name)

    def tombstone(self, key: Key) -> Tombstone | None:
        """The tombstone of a deleted row; None if there is none."""
        with self._reading() as connection:
            return next(iter(read_tombstones(connection, [key])), None)

    def tidy(self, *, is_calm: bool) -> bool:
        """Move committed pages from SQLite's log into the file, so that no commit has to. Raises ReplicaError."""
        return self._file.shorten_log(is_calm=is_calm)

    def data_version(self) -> int:
        """A number that changes when another program writes to the file. It cannot be compared in another process."""
        self._planned_at_version = self._file.data_version()
        return self._planned_at_version

    def _trusts_digests(self, connection: apsw.Connection) -> bool:
        return check_schema(connection, NAME)

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        with self._file.reading() as connection:
            check_schema(connection, NAME)
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        with self._file.writing() as connection:
            before = self._file.schema_version()
            is_known = self._schema_version == before and check_schema(connection, NAME)
            if not is_known and not ensure_schema(connection, NAME):
                digests = digests_of(connection, entries.read_applied(connection, NAME))
                entries.replace_digests(connection, NAME, digests)
            if before != self._file.schema_version():
                self._summed.forget()  # it covers other columns
            yield connection
            version = self._file.schema_version()
        self._schema_version = version  # only after the commit


def open_rows(  # noqa: PLR0913 (options, by keyword)
    path: str | Path,
    *,
    changes_max: int = 50_000,
    tombstone_days: float = 30,
    read_only: bool = False,
    private_copy: bool = False,
    busy_timeout_seconds: float = 5.0,
    cache_kib: int | None = None,
) -> SqliteRows:
    """The rows file at `path`, which is opened or created on first use.

    `changes_max` bounds the change feed, `tombstone_days` the time during which deleted rows can be restored.
    `read_only` never writes to tables; `private_copy` reads one moment and leaves no trace beside the file.
    """
    access = FileAccess.PRIVATE_COPY if private_copy else FileAccess.READ if read_only else FileAccess.WRITE
    file = ApswFile(NAME, path, access, busy_timeout_seconds=busy_timeout_seconds, cache_kib=cache_kib)
    return SqliteRows(file, changes_max=changes_max, tombstone_days=tombstone_days)
