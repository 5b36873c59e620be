"""The source `records`: the newest revisions in the records replica, when Home Assistant is gone.

They restore the SQLite rows to what Home Assistant was last seen to have. Its health is unknown, and
a record that was never written there looks like a deleted one, so deletes wait as always.
"""

from collections.abc import Callable

from msgspec.structs import replace

from engine.core.home.snapshot import Snapshot, make_snapshot, newest_version
from engine.core.records.lenient import read_fields
from engine.core.records.record import Record
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside, UnusableRow
from engine.errors import ReplicaError, SourceInvalid, SourceUnavailable
from engine.ports import Progress, Records, Source
from engine.process.offload import to_thread


class RecordsSource(Source):
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
        return await to_thread(self._read)

    def _read(self) -> Snapshot:
        now = self._clock()
        try:
            found = self._records.as_of(now)
            positions = self._records.order() if found else {}
        except ReplicaError as error:
            kind = SourceUnavailable if error.transient else SourceInvalid
            raise kind(f"The records cannot be read: {error.message}", error.hint) from error
        if not found:
            raise SourceInvalid(
                f"The records replica {self._records.name} holds no record.",
                "Let records.uri name the store that was written before, and site.name the home's name there.",
            )
        records, set_aside = list[Record](), list[SetAside]()
        for key, revision in sorted(found.items()):
            try:
                content = revision.content
                records.append(content if isinstance(content, Record) else read_fields(key.registry, content))
            except UnusableRow as error:
                # Not from its fields: the key is the one it was written under.
                set_aside.append(replace(error.row, id=key.id))
        return make_snapshot(
            records=records,
            set_aside=set_aside,
            taken_at=now,
            origin=self.origin,
            registries=frozenset(REGISTRIES),
            positions=positions,
            names_as_of=newest_version((r.at, r.ha_version) for r in found.values()),
        )
