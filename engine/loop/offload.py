"""Where blocking work is done: in a worker thread, and in tests of virtual time right here."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio.to_thread

T = TypeVar("T")


class Offload(Protocol):
    """Does blocking work without blocking the event loop."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """The result of `work()`, or what it raised."""


async def to_thread(work: Callable[[], T]) -> T:
    """Do the work in a thread of anyio's pool. It runs to its end even if the waiting is cancelled."""
    return await anyio.to_thread.run_sync(work)
