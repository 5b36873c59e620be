"""The protocols that a pass with a cache needs; see `ports`."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from engine.core.home.snapshot import Snapshot
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import Learned
from engine.pass_cache.seals import Piece
from engine.ports import Source


@runtime_checkable
class Recalling(Source, Protocol):
    """A source that can start from an earlier process's cache."""

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Start from a cache, or from nothing; returns its snapshot, None if it is of another source.

        The next read returns the same as without a cache. It raises CacheDamaged if the cache is damaged.
        """

    def has_learned(self) -> bool:
        """Whether there is anything that the cache lacks."""

    def learned(self) -> Learned | None:
        """The results of the last read; None if equal answers would not mean an equal home."""


@runtime_checkable
class NotesEqual(Protocol):
    """A ledger that keeps, beside its entries, the digests of each replica that matched them exactly."""

    def equal_replicas(self) -> str | None:
        """The text last stored; None if the layout of the rows may have changed since."""

    def note_equal_replicas(self, text: str) -> None:
        """Store the text, replacing the previous one."""


class CacheFile(Protocol):
    """The storage of a pass cache. Failures are the same as having no cache."""

    def read(self, at: int, size: int) -> bytes:
        """Read up to `size` bytes of the current cache from the offset `at`."""

    def write(self, pieces: Sequence[Piece]) -> None:
        """Replace the cache with these pieces."""

    def remove(self) -> None:
        """Remove the cache."""
