"""When a process tells of itself, and which processes are gone without having said so. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from engine.replicas.kafka.sites.site_status import HEARTBEAT_SECONDS, WorkerStatus

_ABANDONED_MS = 86_400_000


class WorkerMessages:
    """What this process told of itself last."""

    def __init__(self) -> None:
        """Nothing was told."""
        self._told: WorkerStatus | None = None
        self._told_at = 0.0

    def take(self, status: WorkerStatus, now: float) -> bool:
        """Whether it is to be told; then it counts as told. `now` is of a clock that never jumps, seconds."""
        news = replace(status, ts_ms=0)
        if news == self._told and now - self._told_at < HEARTBEAT_SECONDS:
            return False
        self._told, self._told_at = news, now
        return True

    def doubt(self) -> None:
        """What was told may be lost."""
        self._told = None


def abandoned(workers: Mapping[str, WorkerStatus], now_ms: int) -> list[str]:
    """Processes that have said nothing for a day: each start has another name, so theirs would stay in the topic for ever."""
    return sorted(name for name, worker in workers.items() if worker.ts_ms < now_ms - _ABANDONED_MS)
