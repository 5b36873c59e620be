"""The view's file and its writer. A file that is damaged, too old, or of other topics or another schema is rebuilt; another
program's file is never changed.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from engine.errors import ReplicaDamaged
from engine.fleet_view.view_file.schema import (
    APPLICATION_ID,
    REPLICA,
    TopicsIdentity,
    identity_in,
    make_tables,
)
from engine.fleet_view.view_file.writing import Batch, Place, ViewWriter, counts_in, positions_in
from engine.replicas.kafka.topics import TOMBSTONE_DAYS
from engine.replicas.sqlite_file.database import ApswFile

_CACHE_KIB = 65_536
# Kafka drops the tombstone of a device after TOMBSTONE_DAYS: a view that was off for longer would miss the deletion.
_AGE_SECONDS_MAX = TOMBSTONE_DAYS * 86_400 / 2
_CLOCK_SECONDS = 60.0  # tolerance for a clock that was set back
_ID_AT = slice(68, 72)  # offset of the application id in a SQLite file


class ViewStore:
    """The file at `path`. One thread at a time. Every method raises ReplicaError; then nothing has changed."""

    def __init__(self, path: str | Path, clock: Callable[[], float]) -> None:
        """Opens nothing yet. `clock` returns Unix seconds."""
        self.path = Path(path)
        self._file = self._opened()
        self._clock = clock
        self._writer: ViewWriter | None = None
        self._is_damaged = False
        self.revision = 0  # grows with every change that affects answers about devices and models

    def begin(self, identity: TopicsIdentity) -> dict[Place, int]:
        """The offset from which to read each partition; a partition without one is read from its beginning."""
        self._writer = None
        if self._is_damaged and self._is_ours():
            self._remove()
        try:
            return self._begin(identity)
        except ReplicaDamaged:
            if not self._is_ours():
                raise
            self._remove()
            return self._begin(identity)

    def as_of(self, prefix: str, partitions: int) -> float | None:
        """The time up to which the file is known to hold everything of these topics; None if there is no such time."""
        with self._file.reading() as connection:
            identity = identity_in(connection)
            if identity is None or (identity.prefix, identity.partitions) != (prefix, partitions):
                return None
            return counts_in(connection).get("as_of")

    def apply(self, batch: Batch) -> None:
        """Write a batch of messages."""
        writer, self._writer = (
            self._writer,
            None,
        )  # after a failure its memory may hold uncommitted changes
        assert writer is not None, "begin() must come first"
        try:
            with self._file.writing() as connection:
                is_different = writer.write(connection, batch)
        except ReplicaDamaged:
            self._is_damaged = True
            raise
        self._writer = writer
        self.revision += is_different
        self._file.shorten_log(is_calm=False)

    def distrust(self) -> None:
        """Note that the file is damaged, so that it is rebuilt next time."""
        self._is_damaged = True

    def rest(self) -> None:
        """While idle, checkpoint the log into the file."""
        self._file.shorten_log(is_calm=True)

    def discard(self) -> None:
        """Invalidate the file's content: the topics are no longer those that it was read from."""
        self.begin(TopicsIdentity("", 0, {}))

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        self._writer = None
        self._file.close()

    def _begin(self, identity: TopicsIdentity) -> dict[Place, int]:
        with self._file.reading() as connection:
            is_of_use = identity_in(connection) == identity and self._is_young(counts_in(connection))
        with self._file.writing() as connection:
            if not is_of_use:
                make_tables(connection, identity, self._clock())
                self.revision += 1
            self._writer = ViewWriter(connection)
            positions = positions_in(connection)
        if not is_of_use:
            self.rest()  # so that the file itself carries our application id
        return positions

    def _is_young(self, known: Mapping[str, float]) -> bool:
        """Whether Kafka still has every deletion since then."""
        age = self._clock() - known.get("as_of", known.get("begun_at", 0.0))
        return -_CLOCK_SECONDS <= age <= _AGE_SECONDS_MAX

    def _opened(self) -> ApswFile:
        return ApswFile(REPLICA, self.path, cache_kib=_CACHE_KIB)

    def _is_ours(self) -> bool:
        with suppress(OSError), self.path.open("rb") as file:
            return int.from_bytes(file.read(100)[_ID_AT], "big") == APPLICATION_ID
        return False

    def _remove(self) -> None:
        self._file.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(f"{self.path.name}{suffix}").unlink(missing_ok=True)
        self._file = self._opened()
        self._is_damaged = False
