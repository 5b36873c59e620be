"""The pass cache of a simulated service: kept from one start to the next, and damaged in between as any file may be."""

from collections.abc import Sequence
from random import Random

from engine.pass_cache.seals import Piece
from tests.fakes.world import MemoryLedger


class CacheKey(MemoryLedger):
    """Seals caches, always with the same key; the rest of a ledger is not used."""

    def secret(self) -> bytes | None:
        return b"simulated key of this rows file."

    def make_secret(self) -> bytes | None:
        return self.secret()


class HostileCache:
    """The file, in memory; see `CacheFile`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._content = b""
        self._older: list[bytes] = []
        self.writes = 0

    def read(self, at: int, size: int) -> bytes:
        return self._content[at : at + size]

    def write(self, pieces: Sequence[Piece]) -> None:
        self.writes += 1
        self._content = b"".join(pieces)
        self._older.append(self._content)

    def remove(self) -> None:
        self._content = b""

    def be_disturbed(self) -> None:
        """What may happen to it while no process runs: it is gone, cut off, edited, or that of an earlier day."""
        content, kind = self._content, self._random.randrange(16)
        if not content or kind > 4:
            return
        at = self._random.randrange(len(content))
        self._content = (
            b"",
            content[:at],
            content[:at] + bytes([content[at] ^ (1 << self._random.randrange(8))]) + content[at + 1 :],
            self._random.choice(self._older),
            content + b"more",
        )[kind]
