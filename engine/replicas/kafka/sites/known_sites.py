"""The contents of the topic `sites` so far: each home's status from its latest owner, and each process of the fleet.

Pure. Messages of two owners may be in any order, because their writers are not fenced: the larger claim counts.
"""

from collections.abc import Iterable

from engine.replicas.kafka.messages import TopicEntry
from engine.replicas.kafka.sites.site_status import (
    FRESH_MS,
    ReadingPlace,
    Removed,
    SiteStatus,
    StrangeMessage,
    WorkerStatus,
    decode_message,
)


class KnownSites:
    """Built from all messages; later ones are added as they arrive."""

    def __init__(self, partitions: int) -> None:
        """`partitions` are those of the topic."""
        self._partitions = partitions
        self.sites: dict[str, SiteStatus] = {}
        self.workers: dict[str, WorkerStatus] = {}
        self.strange = 0  # messages that no version of this program wrote
        self.first_strange: StrangeMessage | None = None
        self._claims: dict[str, tuple[int, str]] = {}  # the largest of each home, including removed homes

    def fold(self, entry: TopicEntry, partition: int, now_ms: float) -> str | None:
        """Process one message; returns the home whose status changed. A strange message is counted and ignored."""
        try:
            found = decode_message(entry, ReadingPlace(partition, self._partitions, now_ms))
        except StrangeMessage as error:
            self.strange += 1
            self.first_strange = self.first_strange or error
            return None
        if isinstance(found, WorkerStatus):
            self.workers[found.worker] = found
            return None
        if isinstance(found, SiteStatus):
            return found.site if self.note(found) else None
        return self._remove(found)

    def note(self, status: SiteStatus) -> bool:
        """Process a message about a home; False if a later owner has already reported."""
        if status.rank < self._claims.get(status.site, status.rank):
            return False
        self._claims[status.site] = status.rank
        self.sites[status.site] = status
        return True

    def rank_of(self, site: str) -> tuple[int, str]:
        """The largest known claim on the home, and its owner; 0 if there is none."""
        return self._claims.get(site, (0, ""))

    def heard(self, now_ms: float) -> int:
        """The number of processes that have reported lately."""
        return sum(abs(now_ms - worker.ts_ms) <= FRESH_MS for worker in tuple(self.workers.values()))

    def unowned(self, named: Iterable[str], now_ms: float) -> int:
        """The number of homes without a recent report, of those that are known or among `named`."""
        silent = sum(not s.is_owned or abs(now_ms - s.ts_ms) > FRESH_MS for s in tuple(self.sites.values()))
        return silent + sum(name not in self.sites for name in named)

    def _remove(self, removed: Removed) -> str | None:
        if removed.worker:
            self.workers.pop(removed.worker, None)
            return None
        if removed.claim is not None and removed.claim < self.rank_of(removed.site)[0]:
            return None
        return removed.site if self.sites.pop(removed.site, None) is not None else None
