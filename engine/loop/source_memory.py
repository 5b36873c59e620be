"""What a service knows of Home Assistant when it starts, and what it leaves for its next start: the pass cache, without replicas.

A service verifies its replicas when it starts, whatever anybody remembers of them. What it need not do again is to decode, hash
and derive every record of a home that is still the one it was. What it left it begins with at once, too: a home that is decoded is four times as large
as one of which a cache is kept.
"""

import math
from collections.abc import Callable
from contextlib import suppress

import anyio

from engine import __version__
from engine.core.home.snapshot import Snapshot
from engine.errors import ReplicaError
from engine.pass_cache.contents import Cache, CacheDamaged, open_cache
from engine.pass_cache.learned import Learned, encode_learned
from engine.pass_cache.ports import CacheFile, Recalling
from engine.ports import Ledger
from engine.process.offload import Offload, to_thread

# It is a file as large as the home's records, and what changed since it was written costs no more than it would have then.
_KEEP_SECONDS = 86_400.0
# For this long it waits for a process that starts many homes.
_PATIENCE_SECONDS = 300.0


class SourceMemory:
    """The cache of one service: `begin` before the first read, `keep` now and then behind one."""

    def __init__(  # noqa: PLR0913 (collaborators)
        self,
        file: CacheFile,
        source: Recalling,
        ledger: Ledger,
        offload: Offload = to_thread,
        *,
        reread_seconds_max: float = 0.0,
        on_kept: Callable[[], None] = lambda: None,
        is_calm: Callable[[], bool] = lambda: True,
    ) -> None:
        """Nothing is read yet. Within `reread_seconds_max` of `keep`, all is to be read again.

        `on_kept` is called when the source knows from the cache what it knew by itself before. While it is not `is_calm`, `keep` does
        nothing, for five minutes at most.
        """
        self._is_calm = is_calm
        self._on_kept = on_kept
        self._file = file
        self._source = source
        self._ledger = ledger
        self._offload = offload
        self._reread_seconds_max = reread_seconds_max
        self._cache: Cache | None = None  # while it is used
        self._keep_at = -math.inf  # by anyio's clock, as the next
        self._due_since: float | None = None

    async def begin(self) -> None:
        """Let the source begin with what an earlier process learned."""
        await self._offload(self._begin)

    def _begin(self) -> bool:
        with suppress(ReplicaError, CacheDamaged):  # the reader of the file reports what is wrong with it
            key = self._ledger.secret()
            if key is None:
                return False
            cache = open_cache(self._file.read, key, __version__)
            if cache is not None:
                # All of it now: what is asked for later can then be relied upon.
                cache.pack()
                self._cache = cache if self._source.recall(cache) is not None else None
                return self._cache is not None
        return False

    def doubts(self, snapshot: Snapshot) -> bool:
        """Whether everything is to be read once more: where odd rows stand, only a read that knew nothing can say so."""
        if self._cache is None or not snapshot.home.has_odd_rows:
            return False
        self.forget()
        return True

    def forget(self) -> None:
        """Go on without a cache."""
        self._source.recall(None)
        self._cache = None

    async def keep(self) -> float | None:
        """Leave the next process what the last read learned, now and then. Nothing depends on it.

        Returns within how many seconds to read everything: the source knows it from there now, and what was known before is
        let go with that read. None: nothing of the sort.
        """
        now = anyio.current_time()
        if now < self._keep_at:
            return None
        self._due_since = now if self._due_since is None else self._due_since
        if not self._is_calm() and now - self._due_since < _PATIENCE_SECONDS:
            return None
        self._keep_at, self._due_since = now + _KEEP_SECONDS, None
        if not await self._offload(self._keep):
            return None
        self._on_kept()
        return self._reread_seconds_max

    def _keep(self) -> bool:
        if self._cache is not None and not self._source.has_learned():
            return False
        learned = self._source.learned()
        if learned is None:
            self._file.remove()  # it would be read in vain
            return False
        if learned.snapshot.reading.health.recovery_mode:
            return False  # what was read is not of the home
        with suppress(ReplicaError):
            return self._write(learned) and self._begin()
        return False

    def _write(self, learned: Learned) -> bool:
        key = self._ledger.make_secret()
        if key is None:
            return False
        pieces = encode_learned(learned, (), program=__version__, key=key, before=self._cache)
        if pieces is None:
            return False
        self._file.write(pieces)
        return True
