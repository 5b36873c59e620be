"""Fingerprints of bytes, to recognise what was seen before."""

import secrets
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
import xxhash

NAME_BYTES = 16


class Fingerprint:
    """Names bytes by 16 others. The seed is drawn, because a device's name must not choose a collision.

    It is never shown; it is kept with the names, in files that are the owner's alone.
    """

    def __init__(self, seed: int | None = None) -> None:
        """With the `seed` of an earlier one, equal bytes have the names that they had then."""
        self.seed = secrets.randbits(64) if seed is None else seed
        # Of bytes or a view. No method, because it is called once for every few rows of a home.
        self.of: Callable[[bytes | memoryview], bytes] = partial(xxhash.xxh3_128_digest, seed=self.seed)

    def __call__(self, data: bytes | msgspec.Raw) -> bytes:
        """The fingerprint of `data`, equal for equal bytes while this object lives."""
        return self.of(memoryview(data))

    def begin(self) -> xxhash.xxh3_128:
        """The fingerprint of bytes that come in pieces, to be updated with them."""
        return xxhash.xxh3_128(seed=self.seed)

    def of_each(self, rows: Iterable[msgspec.Raw]) -> list[bytes]:
        """The fingerprint of each row."""
        return [self.of(memoryview(row)) for row in rows]
