"""Passes on the changes of all homes to the readers that follow them."""

import asyncio
from collections import deque
from collections.abc import Sequence

from api.sites.ports import SiteChange

_CHANGES_MAX = 2_000


class FollowedChanges:
    """The changes of all homes for one reader, which may be slow."""

    def __init__(self) -> None:
        self._changes = deque[SiteChange]()
        self._is_lost = False
        self._is_closed = False
        self._moved = asyncio.Event()

    def put(self, changes: Sequence[SiteChange]) -> None:
        """Queue changes; an overflow becomes one note that some are lost."""
        if len(self._changes) + len(changes) > _CHANGES_MAX:
            self._changes.clear()
            self._is_lost = True
        else:
            self._changes += changes
        self._moved.set()

    def close(self) -> None:
        """End the stream."""
        self._is_closed = True
        self._moved.set()

    async def next(self) -> SiteChange | None:
        """The next change; None if some were lost. Raises StopAsyncIteration at the end."""
        while True:
            if self._is_lost:
                self._is_lost = False
                return None
            if self._changes:
                return self._changes.popleft()
            if self._is_closed:
                raise StopAsyncIteration
            self._moved.clear()
            await self._moved.wait()
