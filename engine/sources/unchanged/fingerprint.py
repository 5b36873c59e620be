"""Fingerprints of bytes, to recognise bytes that were seen before."""

import secrets
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
import xxhash

NAME_BYTES = 16


class Fingerprint:
    """Computes 16-byte fingerprints. The seed is random, so that nobody can craft a device's name that collides.

    The seed is never shown; it is stored with the fingerprints, in files that only their owner can read.
    """

    def __init__(self, seed: int | None = None) -> None:
        """With the `seed` of an earlier object, equal bytes have the same fingerprints as there."""
        self.seed = secrets.randbits(64) if seed is None else seed
        # Takes bytes or a view. An attribute, not a method, because it is called once for every few rows of a home.
        self.of: Callable[[bytes | memoryview], bytes] = partial(xxhash.xxh3_128_digest, seed=self.seed)

    def __call__(self, data: bytes | msgspec.Raw) -> bytes:
        """The fingerprint of `data`, equal for equal bytes while this object lives."""
        return self.of(memoryview(data))

    def begin(self) -> xxhash.xxh3_128:
        """A hash object for the fingerprint of bytes that arrive in pieces."""
        return xxhash.xxh3_128(seed=self.seed)

    def of_each(self, rows: Iterable[msgspec.Raw]) -> list[bytes]:
        """The fingerprint of each row."""
        return [self.of(memoryview(row)) for row in rows]
