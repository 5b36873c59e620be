"""Threads that homes share: a few work at a time, and a home that hangs keeps none from the others.

A disk or a share that does not answer blocks its caller for minutes. So a home never has more than two threads, and a
place among those that work is given back after a while, although its thread is still held.
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
    """So many threads at work. Make it inside the event loop."""

    def __init__(self, threads: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._places = ConcurrencyLimiter(threads, patience_seconds)
        self._unbounded = anyio.CapacityLimiter(math.inf)  # the bounds are the places, and two for each home

    def of_home(self) -> Offload:
        """The threads as one home may use them: not more than two at once."""
        own = anyio.CapacityLimiter(_PER_HOME)

        async def offload(work: Callable[[], T]) -> T:
            async with own, self._places.passed():
                return await anyio.to_thread.run_sync(work, limiter=self._unbounded)

        return offload
