"""What a pass with a cache needs from the world, as contracts; see `ports`."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from engine.core.home.snapshot import Snapshot
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import Learned
from engine.pass_cache.seals import Piece
from engine.ports import Source


@runtime_checkable
class Recalling(Source, Protocol):
    """A source that can begin with what an earlier process learned."""

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Begin with what is in a cache, or with nothing; returns its snapshot, None if it is about something else.

        The next read returns what it would return without. It raises CacheDamaged where the cache is not what was written.
        """

    def has_learned(self) -> bool:
        """Whether there is anything that the cache does not have yet."""

    def learned(self) -> Learned | None:
        """What the last read learned; None if equal answers would not mean an equal home."""


@runtime_checkable
class NotesEqual(Protocol):
    """A ledger that keeps, beside its entries, how each replica was that they described exactly."""

    def equal_replicas(self) -> str | None:
        """What was noted last; None where rows may be of another layout since."""

    def note_equal_replicas(self, text: str) -> None:
        """Keep this, in place of what was noted before."""


class CacheFile(Protocol):
    """Where a pass cache is kept. Only a cache: what fails is as good as no cache."""

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from a place on of what is there now; fewer where there are no more."""

    def write(self, pieces: Sequence[Piece]) -> None:
        """Keep this, one piece behind the other, in place of it."""

    def remove(self) -> None:
        """Keep nothing."""
