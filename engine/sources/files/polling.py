"""Follows files: a source without events is polled, and read again when its files look different.

Which files these are, only the source knows: it looks at cheap facts (names, signatures) of exactly what it reads.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import anyio

from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import Hints
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import Learned
from engine.pass_cache.ports import Recalling
from engine.ports import Progress, Source, Watch
from engine.process.offload import Offload, to_thread
from engine.sources.files.regular_files import reading_failed


@runtime_checkable
class Polled(Recalling, Protocol):
    """A source of files, which shows cheaply whether they changed."""

    def look(self) -> object:
        """Everything that changes whenever the source would read something else; only compared for equality.

        None if what it reads is absent or forbidden: the read reports the error. Raises other OSErrors.
        """


class PollingSource(Source):
    """Makes any source of files followable. `path` names them in errors."""

    def __init__(
        self,
        source: Polled,
        path: Path,
        poll_seconds: float,
        clock: Callable[[], float],
        offload: Offload = to_thread,
    ) -> None:
        self._source = source
        self._path = path
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._offload = offload

    @property
    def origin(self) -> str:
        """The source as shown to users."""
        return self._source.origin

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry. Raises SourceError."""
        return await self._source.read(progress)

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Start with what an earlier process learned, or with nothing; see `Recalling`."""
        return self._source.recall(cache)

    def has_learned(self) -> bool:
        """Whether there is anything that the cache lacks."""
        return self._source.has_learned()

    def learned(self) -> Learned | None:
        """What the last read learned."""
        return self._source.learned()

    @property
    def can_be_followed(self) -> bool:
        """Always."""
        return True

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[Watch]:
        """Poll the files until the block ends."""
        yield PollingWatch(self._source, self._path, self._poll_seconds, self._clock, self._offload)


class PollingWatch:
    """Reports a hint whenever the files look different from when they were last read; see `ports.Watch`."""

    def __init__(
        self,
        source: Polled,
        path: Path,
        poll_seconds: float,
        clock: Callable[[], float],
        offload: Offload = to_thread,
    ) -> None:
        self._source = source
        self._path = path
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._offload = offload
        self._seen: object = None
        self._frozen_at: float | None = None  # the moment that the files show for ever, if it is one
        # When the files were first seen changed; None once they are read.
        self.unread_since: float | None = None

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry. Raises SourceError."""
        # Taken before the read, so that a change during it is noticed later.
        look = await self._look()
        snapshot = await self._source.read(progress)
        self._seen, self.unread_since = look, None
        self._frozen_at = snapshot.reading.true_at if snapshot.reading.is_frozen else None
        return snapshot

    async def wait_for_hints(self) -> Hints:
        """Wait until the files look different."""
        while await self._is_unchanged():  # noqa: ASYNC110 (files have no event to wait for)
            await anyio.sleep(self._poll_seconds)
        self.unread_since = self._clock()
        return Hints(relist=True)

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        """Read everything: files cannot be read in part."""
        return await self.read(lambda *_: None)

    async def heartbeat(self) -> float | None:
        """Do nothing: the files still look as they did when they were read. A backup tells nothing of later times."""
        at = self._clock() if self._frozen_at is None else self._frozen_at
        return at if await self._is_unchanged() else None

    async def _is_unchanged(self) -> bool:
        look = await self._look()
        return look is not None and look == self._seen

    async def _look(self) -> object:
        try:
            return await self._offload(self._source.look)
        except OSError as error:
            raise reading_failed(str(self._path), error) from error
