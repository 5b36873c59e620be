"""Threads that homes share: a few work at a time, and a hanging home does not block the others.

A disk or a network share that does not respond blocks its caller for minutes. So a home never uses more than two threads, and
its place among the working threads is released after a while, even if its thread is still blocked.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from engine.process.offload import Offload
from engine.process.worker_threads import WorkerThreads
from engine.sites.concurrency_limiter import PATIENCE_SECONDS, ConcurrencyLimiter

_PER_HOME = 2

T = TypeVar("T")


class Threads:
    """This many threads at work. Create it inside the event loop."""

    def __init__(
        self,
        threads: int,
        patience_seconds: float = PATIENCE_SECONDS,
        workers: WorkerThreads | None = None,
    ) -> None:
        """`workers` may be shared."""
        self._places = ConcurrencyLimiter(threads, patience_seconds)
        self._workers = workers or WorkerThreads()

    def of_home(self) -> Offload:
        """The threads for one home: at most two at a time."""
        own = asyncio.Semaphore(_PER_HOME)

        async def offload(work: Callable[[], T]) -> T:
            async with own, self._places.passed():
                return await self._workers.run(work)

        return offload


def shared_threads(*counts: int) -> list[Threads]:
    """One `Threads` for each count, which all share worker threads."""
    workers = WorkerThreads()
    return [Threads(count, workers=workers) for count in counts]
