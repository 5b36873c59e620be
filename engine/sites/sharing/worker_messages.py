"""Decides when a process sends its own status, and which processes have ended without saying so. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from engine.replicas.kafka.sites.site_status import HEARTBEAT_SECONDS, WorkerStatus

_ABANDONED_MS = 86_400_000


class WorkerMessages:
    """The status of itself that this process last sent."""

    def __init__(self) -> None:
        """Starts without a sent status."""
        self._sent: WorkerStatus | None = None
        self._sent_at = 0.0

    def take(self, status: WorkerStatus, now: float) -> bool:
        """Whether to send it now; if so, it counts as sent. `now` is monotonic, in seconds."""
        news = replace(status, ts_ms=0)
        if news == self._sent and now - self._sent_at < HEARTBEAT_SECONDS:
            return False
        self._sent, self._sent_at = news, now
        return True

    def doubt(self) -> None:
        """Make the status due again, because the last message may be lost."""
        self._sent = None


def abandoned(workers: Mapping[str, WorkerStatus], now_ms: int) -> list[str]:
    """Processes that have not reported for a day: each start has a new name, so the old ones would stay in the topic for ever."""
    return sorted(name for name, worker in workers.items() if worker.ts_ms < now_ms - _ABANDONED_MS)
