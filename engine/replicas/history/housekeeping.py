"""Keeps the history file small in steps, each short enough not to delay events.

A step is one transaction over a bounded number of revisions or pages, or a read that takes no lock. The caller may
stop between any two steps: the next round finds the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from engine.core.state.kept_past import Growth
from engine.replicas.history.growth import bytes_per_second
from engine.replicas.history.holders import forget_holders, is_whole, read_in
from engine.replicas.history.retention import (
    Chunk,
    Memory,
    Retention,
    Stretch,
    edge_at,
    find_forgettable,
    forget,
    read_memory,
    stretches,
)
from engine.replicas.history.schema import has_records
from engine.replicas.history.trusted_time import find_doubt
from engine.replicas.sqlite_file.database import ApswFile

_NS = 1_000_000_000
_REVISIONS_A_STEP = 1_000
_PAGES_A_STEP = 256
_EVERY_NS = 3_600 * _NS
# If events never pause, one call in this many still runs a step.
_BUSY_LOOKS = 16


class RetentionPlan(msgspec.Struct, frozen=True):
    """The stretches to search, or the reason why nothing may be forgotten now; and what was forgotten before."""

    stretches: tuple[Stretch, ...] = ()
    doubt: str | None = None
    memory: Memory = Memory()


class Housekeeper:
    """The housekeeping of one history file. `clock` gives Unix seconds. Every method raises ReplicaError."""

    def __init__(self, file: ApswFile, retention: Retention, clock: Callable[[], float]) -> None:
        self._file = file
        self._retention = retention
        self._clock = clock
        self._steps: Iterator[int] | None = None
        self._rested_ns: int | None = None  # when the last round ended
        self._looks = 0
        self._thinned_until_ns = 0
        self._just = Counter[bool]()  # revisions forgotten by this object, by whether thinning removed them
        self.growth = Growth()

    def tidy(self, *, is_calm: bool) -> bool:
        """Run one step of the hourly round; True when the round is finished."""
        now_ns = self._now_ns()
        is_rested = self._rested_ns is not None and 0 <= now_ns - self._rested_ns < _EVERY_NS
        if self._steps is None and is_rested:
            return True
        self._looks += 1
        if not is_calm and self._looks % _BUSY_LOOKS:
            return False
        self._steps = self._steps or self.steps(self.plan(now_ns))
        try:
            next(self._steps)
        except StopIteration:
            self._steps, self._rested_ns = None, now_ns
        except BaseException:
            self._steps, self._rested_ns = None, now_ns  # the cause persists; try again next hour
            raise
        return self._steps is None

    def plan(self, now_ns: int | None = None, before_ns: int | None = None) -> RetentionPlan:
        """What there is to do; with `before_ns`, to forget everything older than that, without trusting the clock."""
        now_ns = self._now_ns() if now_ns is None else now_ns
        with self._file.reading() as connection:
            if not has_records(connection, self._file.replica):
                return RetentionPlan()
            doubt = find_doubt(connection, now_ns)
            memory = read_memory(connection)
            [(newest_ns,)] = connection.execute("SELECT coalesce(max(at_ns), 0) FROM records")
            self.growth = Growth(
                bytes_per_second=bytes_per_second(connection, now_ns),
                known_from=memory.known_from_ns / _NS if memory.known_from_ns else None,
                forgotten_by_age=memory.forgotten_by_age,
                forgotten_by_thinning=memory.forgotten_by_thinning,
                just_by_age=self._just[False],
                just_by_thinning=self._just[True],
                doubt=doubt if self._retention else None,
            )
        found = [] if doubt else stretches(memory, self._retention, now_ns, newest_ns, self._thinned_until_ns)
        if before_ns is not None:
            found = [edge_at(before_ns), *(s for s in found if s.interval_ns)]
        return RetentionPlan(tuple(found), None if before_ns else doubt, memory)

    def steps(self, plan: RetentionPlan) -> Iterator[int]:
        """Carry out the plan, a step at a time; yields the number of revisions that each step forgot."""
        yield from self._read_in()
        forgotten = 0
        for stretch in plan.stretches:
            for count in self._forget(stretch):
                forgotten += count
                self._just[bool(stretch.interval_ns)] += count
                yield count
            if stretch.interval_ns:
                self._thinned_until_ns = stretch.end_ns
        if forgotten:
            with self._file.writing() as connection:
                forget_holders(connection, max(s.end_ns for s in plan.stretches))
            yield 0
            self.growth = self._counted(plan.memory)
        if self._retention or forgotten:
            yield from self.give_back()

    def count(self, plan: RetentionPlan) -> tuple[int, int]:
        """The numbers of revisions that the plan would forget by age and by thinning; changes nothing."""
        by_age = by_thinning = 0
        for stretch in plan.stretches:
            after_ns: int | None = stretch.start_ns
            while after_ns is not None:
                with self._file.reading() as connection:
                    chunk = find_forgettable(connection, stretch, after_ns, _REVISIONS_A_STEP)
                by_age += 0 if stretch.interval_ns else chunk.count
                by_thinning += chunk.count if stretch.interval_ns else 0
                after_ns = _next(chunk, after_ns)
        return by_age, by_thinning

    def give_back(self) -> Iterator[int]:
        """Return free pages to the file system, if the file supports it."""
        before: int | None = None
        while True:
            with self._file.reading() as connection:
                free = connection.pragma("freelist_count") if connection.pragma("auto_vacuum") else 0
            if not free or (
                before is not None and free >= before
            ):  # another program uses pages, or the file is damaged
                return
            before = free
            with self._file.writing() as connection:
                connection.execute(f"PRAGMA incremental_vacuum({_PAGES_A_STEP})").fetchall()
            yield 0

    def _read_in(self) -> Iterator[int]:
        with self._file.reading() as connection:
            is_done = not has_records(connection, self._file.replica) or is_whole(connection)
        while not is_done:
            with self._file.writing() as connection:
                read_in(connection, _REVISIONS_A_STEP)
                is_done = is_whole(connection)
            yield 0

    def _forget(self, stretch: Stretch) -> Iterator[int]:
        after_ns: int | None = stretch.start_ns
        while after_ns is not None:
            with self._file.reading() as connection:
                chunk = find_forgettable(connection, stretch, after_ns, _REVISIONS_A_STEP)
            if chunk.count:
                with self._file.writing() as connection:
                    # Another process may have done it meanwhile.
                    chunk = find_forgettable(connection, stretch, after_ns, _REVISIONS_A_STEP)
                    if chunk.count:
                        forget(connection, stretch, chunk)
            yield chunk.count
            after_ns = _next(chunk, after_ns)

    def _counted(self, before: Memory) -> Growth:
        with self._file.reading() as connection:
            memory = read_memory(connection) if has_records(connection, self._file.replica) else before
        return msgspec.structs.replace(
            self.growth,
            known_from=memory.known_from_ns / _NS if memory.known_from_ns else None,
            forgotten_by_age=memory.forgotten_by_age,
            forgotten_by_thinning=memory.forgotten_by_thinning,
            just_by_age=self._just[False],
            just_by_thinning=self._just[True],
        )

    def _now_ns(self) -> int:
        return int(self._clock() * _NS)


def _next(chunk: Chunk, after_ns: int) -> int | None:
    """Where to continue; None at the end, and where a damaged file goes backwards."""
    return chunk.until_ns if chunk.until_ns is not None and chunk.until_ns > after_ns else None
