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

_DIGEST_BYTES = 16
_PREFIX = f"{HASH_VERSION}:"
_encode = msgspec.json.Encoder().encode


def content_hash(record: Record) -> str:
    """The hash of all hashed fields, their names and the registry; independent of their order."""
    return _PREFIX + blake2b(encode_hashed(record), digest_size=_DIGEST_BYTES).hexdigest()


def row_digest(values: object) -> str:
    """A short digest of any JSON value (infinity and null have the same), in its given order."""
    return blake2b(_encode(values), digest_size=_DIGEST_BYTES).hexdigest()


def seed_of(key: bytes) -> int:
    """The seed for digests of replicas' rows, derived from the key of the rows file."""
    return int.from_bytes(blake2b(b"rows", key=key, digest_size=8).digest())
