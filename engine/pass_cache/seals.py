"""Digests with the key of a rows file, which show that a cache was written for that file."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import TypeAlias

import xxhash

Piece: TypeAlias = bytes | bytearray | memoryview


def digest_of(pieces: Iterable[Piece], key: bytes, size: int) -> bytes:
    """A digest of `size` bytes, which cannot be made without the key."""
    digest = blake2b(digest_size=size, key=key)
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def quick_digest(pieces: Iterable[Piece], key: bytes) -> bytes:
    """A digest against damage, at a fortieth of the cost; it does not protect against deliberate changes."""
    digest = xxhash.xxh3_128(seed=int.from_bytes(digest_of((), key, 8), "big"))
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
