"""Runs the first passes over a big home one after the other.

A pass without memory of its store holds the whole home, the whole store and all changes. Two at once raised the peak
memory of a service that fills its stores with 20,000 entities to 224 MiB instead of 168 to 191, and what remained to 112 MiB
instead of 91 to 103 (Python cannot return heap memory between live objects), and took no less time, because one of them
waits for Python's lock.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

_RECORDS_MIN = 5_000  # with fewer, two passes at once do no harm
_WAIT_SECONDS_MAX = 60.0


class FirstPasses:
    """Gives one home's replicas turns for their first passes. A hanging one delays the others by a minute, only once."""

    def __init__(self) -> None:
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def turn(self, records: int) -> AsyncIterator[None]:
        """Wait for the turn, and hold it during the block: a first pass over `records` records."""
        if records < _RECORDS_MIN:
            yield
            return
        with anyio.move_on_after(_WAIT_SECONDS_MAX) as waited:
            await self._turn.acquire()
        try:
            yield
        finally:
            if not waited.cancelled_caught:
                self._turn.release()
