"""The history file: an append-only SQLite file with every version of every record, for homes without InfluxDB.

The newest revision of a key is the replica's content; a tombstone ends the key, which may return. Rows are
only appended, and deleted if the settings allow it (`retention`): a row that another program altered gets a
`repair` revision, never an update.
A stored hash is trusted only if the revision's digest still matches.
"""

# ruff: noqa: S608 (names in statements are our own columns; values are bound)

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import apsw

from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.home.list_order import decode_order
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.kept_past import NOTHING_FORGOTTEN, Forgotten, Growth
from engine.ports import Observed, Records, Run
from engine.replicas.file_replica import FileReplica
from engine.replicas.history.appending import append, keep_order, note_of
from engine.replicas.history.holders import find_holders
from engine.replicas.history.housekeeping import Housekeeper
from engine.replicas.history.reading import (
    AS_OF,
    REVISION,
    fetch_count,
    fetch_delays,
    fetch_edge,
    fetch_newest,
    fetch_page,
    find_record_as_of,
)
from engine.replicas.history.retention import KEEP_ALL, Retention, known_ns, read_forgotten
from engine.replicas.history.revisions import (
    TOMBSTONE,
    draft_revisions,
    payload_fields,
    revision_of,
    versions_of,
)
from engine.replicas.history.schema import META, ensure_records, has_records
from engine.replicas.sqlite_file.database import ApswFile, FileAccess
from engine.replicas.sqlite_file.digests import sum_rows, text_of
from engine.replicas.sqlite_file.invalid_utf8 import fetch_rows, rows_keeping_bytes
from engine.replicas.sqlite_file.remembered_home import decode_home, keep_home

NAME = "history"

_NS = 1_000_000_000
_VERSION = ("registry", "id", "hash", "payload", "digest")
_SELECT_VERSION = f"SELECT {', '.join(_VERSION)} FROM records"
_NEWEST = f"{_SELECT_VERSION} WHERE at_ns IN (SELECT max(at_ns) FROM records GROUP BY registry, id)"
_NEWEST_TEXT = _NEWEST.replace(", ".join(_VERSION), text_of(_VERSION))


class HistoryFile(FileReplica, Records):
    """The history file as a `Records` replica. One thread at a time; every method raises ReplicaError."""

    name = NAME
    stores_derived = False
    remembers_home = True
    keeps_order = True

    def __init__(
        self, file: ApswFile, retention: Retention = KEEP_ALL, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix seconds, which decide what `retention` deletes."""
        self._file = self.file = file
        self.housekeeper = Housekeeper(file, retention, clock)
        self._note: str | None = None

    def tidy(self, *, is_calm: bool) -> bool:
        """Delete old revisions, a step at a time, and move commits from SQLite's log into the file.

        Raises ReplicaError.
        """
        is_kept = self.housekeeper.tidy(is_calm=is_calm)
        return self._file.shorten_log(is_calm=is_calm) and is_kept

    def data_version(self) -> int:
        """A number that changes when another program writes to the file. Only valid within this process."""
        return self._file.data_version()

    def observe(self) -> Observed:
        """The hashes of all records that are not deleted, checked against their payloads."""
        with self._file.reading_uncached() as connection:
            self._file.note_seen()
            is_there = has_records(connection, NAME)
            return Observed(_observe(connection) if is_there else {})

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        """The newest revisions of those keys that are not deleted."""
        newest = f"{_SELECT_VERSION} WHERE registry = ? AND id = ? ORDER BY at_ns DESC LIMIT 1"
        found = {}
        with self._file.reading() as connection:
            for key in keys if has_records(connection, NAME) else ():
                for row in fetch_rows(connection, newest, _VERSION, key):
                    _, _, _, payload, _ = row
                    if next(iter(versions_of([row])), None) is not None:
                        found[key] = StoredRow(key, payload_fields(key.registry, payload))
        return found

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        """Append one revision per operation (two where an id changed) in one transaction, and read them back."""
        if not operations:
            return
        drafts = [draft for operation in operations for draft in draft_revisions(operation, run)]
        with self._file.writing() as connection:
            ensure_records(connection, NAME)
            dates = append(connection, NAME, drafts, run)
        self._note = note_of(dates, run.at)

    def take_note(self) -> str | None:
        """A note for the user about corrections by the last write; returned once."""
        note, self._note = self._note, None
        return note

    def home(self) -> frozenset[str]:
        """The config entries of this file's home; empty if none are stored."""
        with self._file.reading() as connection:
            return decode_home(connection, META) if has_records(connection, NAME) else frozenset()

    def remember_home(self, entry_ids: frozenset[str]) -> None:
        """Store the config entries that identify the file's home."""
        with self._file.writing() as connection:
            ensure_records(connection, NAME)
            keep_home(connection, META, entry_ids)

    def order(self) -> Mapping[Key, int]:
        """The stored positions of areas and floors; may be empty."""
        with self._file.reading() as connection:
            if not has_records(connection, NAME):
                return {}
            found = connection.execute("SELECT value FROM meta WHERE name = 'list_order'").fetchone()
            return decode_order(found[0]) if found is not None else {}

    def keep_order(self, positions: Mapping[Key, int], run: Run) -> None:
        """Replace the stored positions."""
        with self._file.writing() as connection:
            ensure_records(connection, NAME)
            keep_order(connection, positions)

    def digest(self, *, seed: int | None = None, reread: bool = True) -> str | None:
        """A digest over the newest revision of every key; None if they cannot have been written by us. See `Replica.digest`."""
        with self._file.reading() as connection:
            if reread:
                self._file.note_seen()
            elif not self._file.is_as_seen():
                return None
            is_there = has_records(connection, NAME)
            return sum_rows(connection, [_NEWEST_TEXT], seed).text() if is_there else None

    def timeline(self, key: Key, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        """The revisions of a key after the one numbered `after`, oldest first, at most `limit`."""
        with self._file.reading() as connection:
            is_there = has_records(connection, NAME)
            rows = fetch_page(partial(fetch_rows, connection), key, after, limit) if is_there else []
        return [revision_of(row) for row in rows]

    def newest(self, key: Key, limit: int, *, before: int | None = None) -> list[Revision]:
        """The newest revisions of a key, before the one numbered `before` if given; oldest first, at most `limit`."""
        with self._file.reading() as connection:
            is_there = has_records(connection, NAME)
            rows = fetch_newest(partial(fetch_rows, connection), key, limit, before) if is_there else []
        return [revision_of(row) for row in rows]

    def count(self, key: Key) -> int:
        """The number of revisions of a key."""
        with self._file.reading() as connection:
            if not has_records(connection, NAME):
                return 0
            known = read_forgotten(connection, key)
            return fetch_count(partial(fetch_rows, connection), key, known.revisions)

    def delays(self, since: float) -> list[tuple[float, float]]:
        """(Unix seconds, delay in seconds) of the updates since then, the newest first."""
        with self._file.reading() as connection:
            is_there = has_records(connection, NAME)
            return fetch_delays(partial(fetch_rows, connection), int(since * _NS)) if is_there else []

    def begins_at(self) -> float | None:
        """The time of the oldest stored revision, Unix seconds; None if there is none."""
        with self._file.reading() as connection:
            if not has_records(connection, NAME):
                return None
            [(first_ns,)] = connection.execute("SELECT min(at_ns) FROM records")
            return None if first_ns is None else first_ns / _NS

    def forgotten(self, key: Key) -> Forgotten:
        """What was forgotten about the home and this record."""
        with self._file.reading() as connection:
            return read_forgotten(connection, key) if has_records(connection, NAME) else NOTHING_FORGOTTEN

    def growth(self) -> Growth:
        """The file's growth, as measured by the last housekeeping. Never waits."""
        return self.housekeeper.growth

    def holders(self, entity_id: str) -> list[Key]:
        """The entities that ever had this entity_id."""
        with self._file.reading() as connection:
            found = find_holders(connection, entity_id) if has_records(connection, NAME) else []
        return sorted(Key("entity", id_) for id_ in found)

    def as_of(self, at: float) -> dict[Key, Revision]:
        """The newest revision of every record that existed at a moment, sorted by key.

        `at` is in Unix seconds and counts to the millisecond: a commit counts as a whole, though its revisions are
        some nanoseconds apart. Raises HistoryForgotten for a time before the retained history.
        """
        with self._file.reading() as connection:
            at_ns = known_ns(connection, NAME, at)
            rows = fetch_rows(connection, AS_OF, REVISION, (at_ns,)) if has_records(connection, NAME) else []
        revisions = (revision_of(row) for row in rows)
        return {revision.key: revision for revision in revisions if revision.hash != TOMBSTONE}

    def as_of_record(self, at: float, registry: str, asked: str) -> dict[Key, Revision]:
        """As `as_of`, but only the records shown with one record, found by its id or entity_id; see `Records.as_of_record`."""
        with self._file.reading() as connection:
            at_ns = known_ns(connection, NAME, at)
            if not has_records(connection, NAME):
                return {}
            holders = partial(find_holders, connection, asked)
            return find_record_as_of(partial(fetch_rows, connection), at_ns, registry, asked, holders)

    def edge(self, at: float) -> Hashable | None:
        """What `as_of` depends on: the last revision up to then, and whether anything was written or forgotten since."""
        with self._file.reading() as connection:
            at_ns = known_ns(connection, NAME, at)
            if not has_records(connection, NAME):
                return None
            return self._file.data_version(), fetch_edge(partial(fetch_rows, connection), at_ns)


def open_history(  # noqa: PLR0913 (ways to open it, by keyword)
    path: str | Path,
    *,
    read_only: bool = False,
    private_copy: bool = False,
    busy_timeout_seconds: float = 5.0,
    cache_kib: int | None = None,
    retention: Retention = KEEP_ALL,
    clock: Callable[[], float] = time.time,
) -> HistoryFile:
    """The history file at `path`, which is opened or created only when needed.

    With `private_copy` it shows one moment and leaves no files beside the original. It avoids an actual copy
    where possible: a history may be large.
    """
    return HistoryFile(
        ApswFile(
            NAME,
            path,
            FileAccess.IN_PLACE if private_copy else FileAccess.READ if read_only else FileAccess.WRITE,
            gives_back=True,
            busy_timeout_seconds=busy_timeout_seconds,
            cache_kib=cache_kib,
        ),
        retention,
        clock,
    )


def _observe(connection: apsw.Connection) -> dict[Key, str]:
    # Row by row: all payloads of a large home together are tens of megabytes, which fragment the memory.
    try:
        return dict(versions_of(connection.execute(_NEWEST)))
    except UnicodeDecodeError:
        return dict(versions_of(rows_keeping_bytes(connection, _NEWEST, _VERSION)))
