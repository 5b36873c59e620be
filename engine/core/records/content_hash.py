"""The versioned hash of a record's canonical form: equal hashes mean equal records.

A hash is text, `<version>:<32 hex digits>`. The version changes whenever the canonical form does; a stored
hash of another version is recomputed from the stored record, which is planned work and not a change.
BLAKE2b, because names in a home come from untrusted devices and must not be able to fake equality.
"""

from hashlib import blake2b

import msgspec

from engine.core.records.record import Record
from engine.core.records.record_json import encode_hashed

HASH_VERSION = 1

_EMPTY = blake2b(digest_size=16)
_PREFIX = f"{HASH_VERSION}:"
_encode = msgspec.json.Encoder().encode


def content_hash(record: Record) -> str:
    """The hash of all hashed fields, their names and the registry; independent of their order."""
    return _PREFIX + digest_text(encode_hashed(record))


def row_digest(values: object) -> str:
    """A short digest of any JSON value (infinity and null have the same), in its given order."""
    return digest_text(_encode(values))


def digest_text(data: bytes) -> str:
    """A digest of bytes, as 32 hex digits."""
    digest = _EMPTY.copy()  # takes half as long as to set up a new one
    digest.update(data)
    return digest.hexdigest()


def seed_of(key: bytes) -> int:
    """The seed for digests of replicas' rows, derived from the key of the rows file."""
    return int.from_bytes(blake2b(b"rows", key=key, digest_size=8).digest())
