"""The view's file, written: begun anew when it is of other topics, of another schema, damaged or too old, and never when it is
another program's.
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
# Kafka forgets that a device was deleted after TOMBSTONE_DAYS: who was away for longer never hears of it.
_AGE_SECONDS_MAX = TOMBSTONE_DAYS * 86_400 / 2
_CLOCK_SECONDS = 60.0  # so much may a clock have been set back
_ID_AT = slice(68, 72)  # of a SQLite file: its application id


class ViewStore:
    """The file at `path`. One thread at a time. Every method raises ReplicaError, and then nothing was changed."""

    def __init__(self, path: str | Path, clock: Callable[[], float]) -> None:
        """Nothing is opened yet. `clock` gives Unix seconds."""
        self.path = Path(path)
        self._file = self._opened()
        self._clock = clock
        self._writer: ViewWriter | None = None
        self._is_damaged = False
        self.revision = 0  # higher with everything by which answers about devices and models differ

    def begin(self, identity: TopicsIdentity) -> dict[Place, int]:
        """From where each partition is to be read; from its beginning those that are not named."""
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
        """Up to when the file is known to hold everything of these topics; None where it never did."""
        with self._file.reading() as connection:
            identity = identity_in(connection)
            if identity is None or (identity.prefix, identity.partitions) != (prefix, partitions):
                return None
            return counts_in(connection).get("as_of")

    def apply(self, batch: Batch) -> None:
        """Write what messages said."""
        writer, self._writer = self._writer, None  # after a failure it may remember what was never committed
        assert writer is not None, "begin comes first"
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
        """Somebody found the file damaged: it is begun anew next time."""
        self._is_damaged = True

    def rest(self) -> None:
        """There is time: move what was written to its place."""
        self._file.shorten_log(is_calm=True)

    def discard(self) -> None:
        """Make what stands in the file mean nothing: the topics are not those it was read from any more."""
        self.begin(TopicsIdentity("", 0, {}))

    def close(self) -> None:
        """Release the file; it is opened again when it is needed."""
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
            self.rest()  # so that the file itself says whose it is
        return positions

    def _is_young(self, known: Mapping[str, float]) -> bool:
        """Whether no delete since can have been forgotten."""
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
