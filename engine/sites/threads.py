"""Threads that homes share: a few work at a time, and a home that hangs does not block the others.

A disk or a network share that does not answer blocks its caller for minutes. So a home never uses more than two threads, and its
place among the working threads is released after a while, even if its thread is still blocked.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from engine.process.offload import Offload
from engine.sites.concurrency_limiter import PATIENCE_SECONDS, ConcurrencyLimiter

_PER_HOME = 2

T = TypeVar("T")


class Threads:
    """This many threads at work. Create it inside the event loop."""

    def __init__(self, threads: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._places = ConcurrencyLimiter(threads, patience_seconds)
        self._unbounded = anyio.CapacityLimiter(
            math.inf
        )  # the places limit the total, and each home has two threads at most

    def of_home(self) -> Offload:
        """The threads as one home may use them: at most two at a time."""
        own = anyio.CapacityLimiter(_PER_HOME)

        async def offload(work: Callable[[], T]) -> T:
            async with own, self._places.passed():
                return await anyio.to_thread.run_sync(work, limiter=self._unbounded)

        return offload
