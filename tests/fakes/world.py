"""A replica and a ledger that are plain dictionaries: the port's contract with nothing behind it.

The ledger is apart from the replica, as it is for InfluxDB, so that the loop has to keep it itself.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import msgspec

from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.guards.absences import Absences
from engine.core.guards.look import FirstSeen, Look
from engine.core.home.derived import Derived
from engine.core.home.home import row_version
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import canonical_fields, make_record
from engine.core.state.report import FoundKey
from engine.errors import EngineError, ReplicaError
from engine.ports import Ledger, Observed, Progress, Replica, Run, Source


class MemoryReplica(Replica):
    """Rows in a dictionary; `fail_with` makes the next call raise, `applied_runs` counts writing passes."""

    name = "memory"
    stores_derived = True
    needs_tidying = True
    held_log_bytes = 0

    def __init__(self, name: str = "memory", *, stores_derived: bool = True) -> None:
        self.name = name
        self.stores_derived = stores_derived
        self.rows: dict[Key, tuple[Record, Derived | None]] = {}
        self.writes = 0
        self.newest_run: Run | None = None
        self.observed = 0
        self.rows_read = 0
        self.tidied = 0
        self.untidy_passes = 0  # writing passes that were not tidied up after
        self.tidies_when_calm = False  # only then
        self.edits = 0
        self.stamps_asked = 0
        self.left_behind: Hashable | None = None
        self.is_replaced = False  # its file, and it was not read yet
        self.fail_with: ReplicaError | None = None
        self.fail_apply_with: ReplicaError | None = None

    def data_version(self) -> int | None:
        self.stamps_asked += 1
        return self.edits

    def file_signature(self) -> Hashable | None:
        return self.left_behind

    def is_overtaken(self, data_version: int | None) -> bool:
        return self.is_replaced

    def observe(self) -> Observed:
        self._fail()
        self.observed += 1
        return Observed({key: row_version(content_hash(r), d) for key, (r, d) in self.rows.items()})

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        self._fail()
        found = {key: self._stored(key) for key in keys if key in self.rows}
        self.rows_read += len(found)
        return found

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        self._fail()
        if self.fail_apply_with is not None:
            raise self.fail_apply_with
        self.writes += 1
        self.untidy_passes += 1
        self.newest_run = run
        for operation in operations:
            self.rows.pop(operation.moved_from or operation.key, None)
            if operation.after is not None:
                self.rows[operation.key] = (operation.after, operation.derived)

    def close(self) -> None:
        """Nothing to release."""

    def tidy(self, *, is_calm: bool) -> bool:
        if self.tidies_when_calm and not is_calm:
            return not self.untidy_passes
        self.tidied += bool(self.untidy_passes)
        self.untidy_passes = 0
        return True

    def edit(self, key: Key, **fields: Json) -> None:
        """Change a row behind the engine's back."""
        self.edits += 1
        record, derived = self.rows[key]
        row = {**msgspec.to_builtins(canonical_fields(record)), **fields}
        self.rows[key] = (make_record(key.registry, row), derived)

    def _stored(self, key: Key) -> StoredRow:
        record, derived = self.rows[key]
        return StoredRow(key, canonical_fields(record), msgspec.to_builtins(derived) if derived else {})

    def _fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


class MemoryLedger(Ledger):
    """Last applied versions and absences."""

    def __init__(self) -> None:
        self.versions: dict[str, dict[Key, str]] = {}
        self.missed: dict[Key, Look] = {}
        self.found_first: dict[str, dict[FoundKey, FirstSeen]] = {}
        self.writes = 0
        self.fail_with: ReplicaError | None = None

    def applied(self, replica: str) -> dict[Key, str]:
        self._fail()
        return dict(self.versions.get(replica, {}))

    def home(self) -> frozenset[str]:
        self._fail()
        return frozenset(
            key.id for known in self.versions.values() for key in known if key.registry == "config_entry"
        )

    def absences(self) -> dict[Key, Look]:
        self._fail()
        return dict(self.missed)

    def known_ids(self, keys: Iterable[Key]) -> frozenset[Key]:
        return frozenset(k for k in keys if any(k in versions for versions in self.versions.values()))

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], at: float, *, place: str | None = None
    ) -> None:
        self._fail()
        if place is not None:
            self.note_place(replica, place)
        for key, version in versions:
            self.writes += 1
            if version is None:
                self.versions.setdefault(replica, {}).pop(key, None)
            else:
                self.versions.setdefault(replica, {})[key] = version

    def note_place(self, replica: str, place: str) -> None:
        """It does not say which stores its entries are about."""

    def note_absences(self, absences: Absences, at: Look) -> None:
        self._fail()
        held = {key for versions in self.versions.values() for key in versions}
        for key in absences.returned | (absences.moot - held):
            self.writes += 1
            self.missed.pop(key, None)
        for key in absences.begun:
            self.writes += 1
            self.missed.setdefault(key, at)

    def found(self, replica: str) -> Mapping[FoundKey, FirstSeen]:
        self._fail()
        return dict(self.found_first.get(replica, {}))

    def note_found(self, replica: str, found: Mapping[FoundKey, FirstSeen]) -> None:
        self._fail()
        self.found_first[replica] = dict(found)

    def _fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


class MemorySource(Source):
    """A Home Assistant that answers with prepared snapshots, the last one forever; errors are raised."""

    origin = "memory"

    def __init__(self, *answers: Snapshot | EngineError) -> None:
        self._answers = list(answers)
        self.reads = 0

    async def read(self, progress: Progress) -> Snapshot:
        self.reads += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, EngineError):
            raise answer
        return answer
