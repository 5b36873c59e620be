"""Where blocking work is done: in a worker thread, and in tests of virtual time right here.

A process that keeps many homes gives them threads of its own (`Threads`), so that a home which hangs holds two of
them at most and not all that there are.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

# For whoever is told that there was too little: the whole of the advice.
MORE_MEMORY = "Give this process or machine more memory; it is tried again."

_THREADS_PER_HOME = 2


class Offload(Protocol):
    """Does blocking work without blocking the event loop."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """The result of `work()`, or what it raised."""


async def to_thread(work: Callable[[], T]) -> T:
    """Do the work in a thread of anyio's pool. It runs to its end even if the waiting is cancelled."""
    return await anyio.to_thread.run_sync(work)


class Threads:
    """A number of threads that homes share. Make it inside the event loop."""

    def __init__(self, threads: int) -> None:
        self._shared = anyio.CapacityLimiter(threads)

    def of_home(self) -> Offload:
        """The threads as one home may use them: not more than two at once."""
        own = anyio.CapacityLimiter(_THREADS_PER_HOME)
        shared = self._shared

        async def offload(work: Callable[[], T]) -> T:
            async with own:
                return await anyio.to_thread.run_sync(work, limiter=shared)

        return offload


def lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out: for an object, or for the stack of one more thread, of which Python says no more than this."""
    return isinstance(error, MemoryError) or "start new thread" in str(error)
