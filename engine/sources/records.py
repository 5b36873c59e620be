"""The source `records`: the newest revisions in the records replica, when Home Assistant is gone.

They restore the SQLite rows to what Home Assistant last was seen to have. Nothing is known of its health, and
a record that was never written there cannot be told from one that was deleted, so deletes wait as always.
"""

from collections.abc import Callable

import anyio.to_thread

from engine.core.record import REGISTRIES, make_record
from engine.core.snapshot import Snapshot, newest_version
from engine.errors import ReplicaError, SourceInvalid, SourceUnavailable
from engine.ports import Progress, Records


class RecordsSource:
    """Reads the newest revision of every live record. `clock` gives Unix seconds."""

    def __init__(self, records: Records, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock

    @property
    def origin(self) -> str:
        """The source as a person would name it."""
        return f"records ({self._records.name})"

    async def read(self, progress: Progress) -> Snapshot:
        """Read every record. Raises SourceUnavailable or SourceInvalid."""
        progress("records", 0, None)
        return await anyio.to_thread.run_sync(self._read)

    def _read(self) -> Snapshot:
        now = self._clock()
        try:
            found = self._records.as_of(now)
        except ReplicaError as error:
            kind = SourceUnavailable if error.transient else SourceInvalid
            raise kind(f"The records cannot be read: {error.message}", error.hint) from error
        if not found:
            raise SourceInvalid(
                f"The records replica {self._records.name} holds no record.",
                "Let records.uri name the store that was written before, and site.name the home's name there.",
            )
        return Snapshot(
            records=[make_record(key.registry, dict(r.fields)) for key, r in sorted(found.items())],
            taken_at=now,
            origin=self.origin,
            registries=frozenset(REGISTRIES),
            hashes={key: revision.hash for key, revision in found.items()},
            names_as_of=newest_version((r.at, r.ha_version) for r in found.values()),
        )
