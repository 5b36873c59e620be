"""Since when records differ of which neither Home Assistant nor an absence says it: found first by a pass, and remembered.

A foreign row, and what a guard holds, stand for days, over many restarts. When each was found first is therefore kept in
the ledger, with the version that the row had: of the same row with the same content the time is believed, of any other it starts over.
Nothing depends on it but the word "since".
"""

from contextlib import suppress
from heapq import nsmallest

from engine.core.guards.look import Calendar, FirstSeen, begun_at
from engine.core.state.report import FoundKey, Report, with_first_found
from engine.core.words import Mode, Outcome, SyncStatus
from engine.errors import ReplicaError
from engine.ports import Ledger

# As many are remembered, the oldest; a home with more has a larger problem.
FOUND_MAX = 1_000


class FoundTimes:
    """The times of one replica. Times are those of the process; in the ledger they are looks, which survive it."""

    def __init__(self, ledger: Ledger, replica: str) -> None:
        """Nothing is read yet."""
        self._ledger = ledger
        self._replica = replica
        self._at: dict[FoundKey, float] = {}
        self._recalled: dict[FoundKey, FirstSeen] | None = None  # by an earlier process; None: not read yet
        self._kept: dict[FoundKey, str | None] = {}  # what the ledger has, with the versions
        self._left: dict[FoundKey, FirstSeen] = {}
        self._writes = False

    @property
    def is_changed(self) -> bool:
        """Whether the ledger has something else than the last report of a pass that writes."""
        return self._writes and {key: found.version for key, found in self._left.items()} != self._kept

    def date(self, report: Report, now: float, calendar: Calendar) -> Report:
        """The report of a pass that ended `now`, in which each record says since when it differed."""
        recalled, self._writes = self._recall(), report.mode == Mode.APPLY
        undated = {
            (r.replica, r.registry, r.key, r.kind): r.replica_hash
            for r in report.records
            if r.since is None and r.outcome != Outcome.APPLIED
        }
        for key, version in undated.items():
            found = recalled.get(key)
            if found is not None and found.version == version and key not in self._at:
                began_at = begun_at(found.at, calendar.look(now))
                if began_at is not None:
                    self._at[key] = began_at - calendar.shift
        dated = with_first_found(report, self._at, now, calendar.shift)
        if all(replica.status != SyncStatus.UNKNOWN for replica in report.replicas):
            recalled.clear()
            oldest = nsmallest(FOUND_MAX, undated, key=self._at.__getitem__)
            self._left = {key: FirstSeen(undated[key], calendar.look(self._at[key])) for key in oldest}
        return dated

    def keep(self) -> None:
        """Note in the ledger what the last report left. Where that fails, it is retried with the next."""
        with suppress(ReplicaError):
            self._ledger.note_found(self._replica, self._left)
            self._kept = {key: found.version for key, found in self._left.items()}

    def _recall(self) -> dict[FoundKey, FirstSeen]:
        if self._recalled is None:
            self._recalled = {}
            with suppress(ReplicaError):
                self._recalled = dict(self._ledger.found(self._replica))
                self._kept = {key: found.version for key, found in self._recalled.items()}
        return self._recalled
