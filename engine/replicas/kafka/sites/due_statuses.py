"""Decides when to send a home's status: after a change, but not too often, and as a heartbeat without one. Pure."""

from typing import NamedTuple
from zlib import crc32

from msgspec.structs import replace

from engine.replicas.kafka.sites.site_status import HEARTBEAT_SECONDS, PAUSE_SECONDS, SiteStatus

# Jitter, so that homes that started together do not keep sending together.
_SPREAD_SECONDS = 15


class _Sent(NamedTuple):
    at: float
    status: SiteStatus
    news: SiteStatus


class DueStatuses:
    """The status last sent for each home. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}

    def take(self, status: SiteStatus, now: float) -> bool:
        """Whether to send it now; if so, it counts as sent."""
        last, news = self._sent.get(status.site), _news(status)
        if last is not None and last.news.rank == news.rank:
            age = now - last.at
            is_changed = age >= PAUSE_SECONDS and news != last.news
            if not is_changed and age < HEARTBEAT_SECONDS - _spread(status.site):
                return False
        self._sent[status.site] = _Sent(now, status, news)
        return True

    def last(self, site: str) -> SiteStatus | None:
        """The status last sent; None if there is none."""
        sent = self._sent.get(site)
        return sent.status if sent else None

    def forget(self, site: str) -> None:
        """Note that nothing was sent for this home."""
        self._sent.pop(site, None)

    def doubt(self) -> None:
        """Make every home due, because messages may be lost."""
        self._sent = {site: sent._replace(at=float("-inf")) for site, sent in self._sent.items()}


def _news(status: SiteStatus) -> SiteStatus:
    """The part of a status whose change is worth a message: without the times that change constantly."""
    return replace(status, ts_ms=0, synced_ms=None, heard_ms=None)


def _spread(site: str) -> float:
    return crc32(site.encode()) % 1000 / 1000 * _SPREAD_SECONDS
