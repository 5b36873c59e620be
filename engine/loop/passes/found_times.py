"""Remembers when a pass first found each difference that neither Home Assistant nor an absence dates.

Foreign rows and held operations last for days, over many restarts. The ledger therefore keeps when each was first found,
with the row's version: the time holds for the same row with the same content, and starts over for any other.
Only the reported "since" depends on it.
"""

from contextlib import suppress
from heapq import nsmallest

from engine.core.guards.look import Calendar, FirstSeen, begun_at
from engine.core.state.report import FoundKey, Report, with_first_found
from engine.core.words import Mode, Outcome, SyncStatus
from engine.errors import ReplicaError
from engine.ports import Ledger

# The number to remember, the oldest first; a home with more has a larger problem.
FOUND_MAX = 1_000


class FoundTimes:
    """The times of one replica. Times are those of the process; in the ledger they are looks, which survive it."""

    def __init__(self, ledger: Ledger, replica: str) -> None:
        """Reads nothing yet."""
        self._ledger = ledger
        self._replica = replica
        self._at: dict[FoundKey, float] = {}
        self._recalled: dict[FoundKey, FirstSeen] | None = None  # of an earlier process; None: not read yet
        self._kept: dict[FoundKey, str | None] = {}  # the ledger's entries, with the versions
        self._left: dict[FoundKey, FirstSeen] = {}
        self._writes = False

    @property
    def is_changed(self) -> bool:
        """Whether the ledger's entries differ from the last report of a pass that writes."""
        return self._writes and {key: found.version for key, found in self._left.items()} != self._kept

    def date(self, report: Report, now: float, calendar: Calendar) -> Report:
        """Complete the report of a pass that ended `now` with the time since which each record differs."""
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
        """Record the last report's remaining differences in the ledger. A failure is retried after the next report."""
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
