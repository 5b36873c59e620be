"""Short names for bytes, to tell what was seen before."""

import secrets
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
import xxhash


class Fingerprint:
    """Names bytes by 16 others. The seed is drawn, because a device's name must not choose a collision."""

    def __init__(self) -> None:
        # Of bytes or a view. No method, because it is called once for every few rows of a home.
        self.of: Callable[[bytes | memoryview], bytes] = partial(
            xxhash.xxh3_128_digest, seed=secrets.randbits(64)
        )

    def __call__(self, data: bytes | msgspec.Raw) -> bytes:
        """The fingerprint of `data`, equal for equal bytes while this object lives."""
        return self.of(memoryview(data))

    def of_each(self, rows: Iterable[msgspec.Raw]) -> list[bytes]:
        """The fingerprint of each row."""
        return [self.of(memoryview(row)) for row in rows]
