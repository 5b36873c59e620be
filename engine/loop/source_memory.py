"""The cached knowledge of Home Assistant with which a service starts, and which it writes for its next start: the pass cache
without replicas.

A service verifies its replicas when it starts, whatever is remembered of them. But it need not decode, hash and derive every
record of an unchanged home again. After writing the cache it also switches to it itself, because a decoded home is four
times as large as a cached one.
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

# The file is as large as the home's records, and a change costs the same at the next start as it would now.
_KEEP_SECONDS = 86_400.0
# The longest that it waits for a process that starts many homes.
_PATIENCE_SECONDS = 300.0


class SourceMemory:
    """The cache of one service: `begin` before the first read, `keep` occasionally after one."""

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
        """Reads nothing yet. Everything should be read again within `reread_seconds_max` after `keep`.

        `on_kept` is called after the source has replaced its own objects with the cache. While not `is_calm`, `keep` does
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
        """Start the source from an earlier process's cache."""
        await self._offload(self._begin)

    def _begin(self) -> bool:
        with suppress(ReplicaError, CacheDamaged):  # the store's own reads report the error
            key = self._ledger.secret()
            if key is None:
                return False
            cache = open_cache(self._file.read, key, __version__)
            if cache is not None:
                # Check all of it now, so that later accesses can be relied upon.
                cache.pack()
                self._cache = cache if self._source.recall(cache) is not None else None
                return self._cache is not None
        return False

    def doubts(self, snapshot: Snapshot) -> bool:
        """Whether everything must be read once more: only a read without a cache knows the positions of odd rows."""
        if self._cache is None or not snapshot.home.has_odd_rows:
            return False
        self.forget()
        return True

    def forget(self) -> None:
        """Continue without a cache."""
        self._source.recall(None)
        self._cache = None

    async def keep(self) -> float | None:
        """Write the last read's results for the next process, if due. Nothing depends on it.

        Returns the seconds within which to read everything: the source now uses the cache, and that read releases the
        earlier objects. None: no read is needed.
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
            self._file.remove()  # reading it would be useless
            return False
        if learned.snapshot.reading.health.recovery_mode:
            return False  # the read is not of this home
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
