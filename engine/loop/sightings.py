"""Follows which records the reads of one process listed, so that each snapshot knows when those that it lacks were last seen."""

from engine.core.home.last_seen import LastSeen, anything_seen
from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import REGISTRIES
from engine.core.state.backlog import Backlog

_ALL = frozenset(REGISTRIES)
_JUST_BEFORE_SECONDS = 0.001


class Sightings:
    """The reads of one process, one after the other; holds the newest."""

    def __init__(self) -> None:
        self._newest: Snapshot | None = None
        self._last_seen = LastSeen()
        self._has_failed = False  # since the newest
        self._backlog = Backlog()  # of which nothing is left after each read

    def add(self, read: Snapshot) -> Snapshot:
        """Add the next read, whether or not any pass will take it; returns it with what all earlier ones saw."""
        before, self._newest = self._newest, read
        self._backlog.offer(read)
        if self._has_failed:
            self._has_failed = False
            self._last_seen = anything_seen(read.reading.taken_at - _JUST_BEFORE_SECONDS)
        elif before is not None:
            changed = self._backlog.changed(_ALL)
            self._last_seen = self._last_seen.after(before.home, read.home, changed, before.reading.taken_at)
        self._backlog.take()
        return read.after_others(self._last_seen)

    def fail(self) -> None:
        """A read failed, which may have listed any record before: no absence counts that began before the next one."""
        self._has_failed = True
