"""The state that the replicas of one pass share: the home as read, the ledger, the times, and the errors.

The ledger may fail like any store. Its error is reported under the store that contains it, and the replicas are still served.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from engine.core.guards.absences import Absences, ended_absences
from engine.core.guards.look import Calendar, Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.errors import ReplicaError, ReplicaUnavailable
from engine.loop.passes.options import PassOptions
from engine.ports import Ledger, Replica, Run
from engine.process.offload import MORE_MEMORY, Offload, T, lacks_memory, to_thread


class PassContext:
    """The shared state of one pass after Home Assistant was read. Built with the desired state, used once."""

    def __init__(  # noqa: PLR0913 (collaborators)
        self,
        options: PassOptions,
        desired: Snapshot,
        replicas: Sequence[Replica],
        ledger: Ledger,
        *,
        clock: Callable[[], float],
        offload: Offload = to_thread,
        calendar: Calendar = Calendar(),  # noqa: B008 (immutable)
        first_missed: Mapping[Key, Look] = {},
    ) -> None:
        """Reads nothing yet. `clock` never jumps; `calendar` converts its times.

        `replicas` are all that take part; `first_missed` are absences found by an earlier read of this same pass.
        """
        self.options = options
        self.desired = desired.with_unread_as_empty() if options.policy.allow_empty else desired
        self.ledger = ledger
        self.clock = clock
        self.offload = offload
        self.calendar = calendar
        self.errors: dict[str, ReplicaError] = {}  # by the store that failed
        self.phase_seconds: dict[str, float] = {}
        self._ledger_keepers = frozenset(replica.name for replica in replicas if replica.keeps_ledger)
        self._first_missed = first_missed
        self._absences: dict[Key, Look] | None = None  # not read yet
        self.ended_absences = frozenset[Key]()  # of those in the ledger

    @property
    def read_at(self) -> float:
        """When Home Assistant was read: Unix seconds, by the wall clock as it is set now."""
        return self.calendar.wall(self.desired.reading.taken_at)

    @property
    def look(self) -> Look:
        """The look at Home Assistant: when it was read, by the wall clock and the uptime."""
        reading = self.desired.reading
        return self.calendar.look(reading.taken_at, is_dated=reading.is_frozen)

    @property
    def wall_now(self) -> float:
        """Unix seconds now, by the wall clock."""
        return self.calendar.wall(self.clock())

    @property
    def retry_after_seconds(self) -> float:
        """The wait before the next pass that the stores requested, seconds."""
        return max((e.retry_after_seconds or 0.0 for e in self.errors.values()), default=0.0)

    @property
    def is_ledger_writable(self) -> bool:
        """Whether to write to the ledger: not after its file was found damaged."""
        return self._ledger_keepers.isdisjoint(self.errors)

    def run(self, wanted: Mapping[Key, str]) -> Run:
        """The facts about this pass that a store records; the pass writes the versions `wanted`."""
        reading = self.desired.reading
        return Run(
            self.options.run_id,
            # Not the time of the read: a row repaired minutes later did not change then.
            self.wall_now,
            reading.origin,
            reading.health.ha_version,
            wanted,
            self.read_at,
            self.desired,
        )

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the duration of the block."""
        started = self.clock()
        yield
        self.phase_seconds[name] = round(self.clock() - started, 6)

    async def work_on(self, replica: str, work: Callable[[], T]) -> T:
        """Run blocking work for a replica. Raises ReplicaError, also when memory runs out."""
        with self.reporting_shortage(replica):
            return await self.offload(work)

    @contextmanager
    def reporting_shortage(self, replica: str) -> Iterator[None]:
        """Raise ReplicaUnavailable for the replica when memory runs out in the block."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            message = f"There is not enough memory for a pass over {replica}."
            raise ReplicaUnavailable(replica, message, MORE_MEMORY) from error

    def absences(self) -> Mapping[Key, Look]:
        """The look that first missed each missing key; read once in a pass, empty if the ledger fails."""
        if self._absences is None:
            self._absences = {}
            try:
                known = self.ledger.absences()
            except ReplicaError as error:
                self.note_error(error)
                return self._absences
            self.ended_absences = ended_absences(known, self.desired, self.calendar)
            for key in self.ended_absences:
                del known[key]
            self._absences = {**self._first_missed, **known}
        return self._absences

    def applied(self, replica: str) -> dict[Key, str] | None:
        """The versions last applied to a replica; None if the ledger fails."""
        try:
            return self.ledger.applied(replica)
        except ReplicaError as error:
            self.note_error(error)
            return None

    def known_ids(self, keys: Collection[Key]) -> frozenset[Key]:
        """The keys that Home Assistant is known to have had; empty if the ledger fails."""
        try:
            return self.ledger.known_ids(keys) if keys else frozenset()
        except ReplicaError as error:
            self.note_error(error)
            return frozenset()

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], place: str | None = None
    ) -> None:
        """Record (or, with None, forget) last applied versions, and their `place`, if the ledger is writable. Raises ReplicaError."""
        if self.is_ledger_writable:
            self.ledger.record_applied(replica, versions, self.read_at, place=place)

    def note_absences(self, absences: Absences) -> None:
        """Remember absences, if the ledger is writable. Raises ReplicaError."""
        if self.is_ledger_writable:
            self.ledger.note_absences(absences, self.look)

    def keep_error(self, error: ReplicaError) -> None:
        """Keep the error as its store's result, without references to the data that was being read."""
        # A traceback holds that data, and this object, until the next garbage collection, which is rare here.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        self.errors[error.replica] = error

    def note_error(self, error: ReplicaError) -> None:
        """Keep the error, unless there already is one of the same store."""
        if error.replica not in self.errors:
            self.keep_error(error)
