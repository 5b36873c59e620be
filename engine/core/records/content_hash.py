"""The versioned hash of a record's canonical form: equal hashes mean equal records.

A hash is text, `<version>:<32 hex digits>`. The version changes whenever the canonical form does; a stored
hash of another version is re-computed from the stored record, which is planned work and no change.
BLAKE2b, because names in a home come from strangers' devices and must not be able to fake equality.
"""

from hashlib import blake2b

import msgspec

from engine.core.records.record import Record
from engine.core.records.record_json import encode_hashed

HASH_VERSION = 1

_DIGEST_BYTES = 16


def content_hash(record: Record) -> str:
    """The hash over all fields that count, their names and the registry; independent of any order."""
    return f"{HASH_VERSION}:{blake2b(encode_hashed(record), digest_size=_DIGEST_BYTES).hexdigest()}"


def row_digest(values: object) -> str:
    """A short digest of anything JSON can say (infinity and null have the same), in its given order."""
    return blake2b(msgspec.json.encode(values), digest_size=_DIGEST_BYTES).hexdigest()


def seed_of(key: bytes) -> int:
    """What digests of replicas' rows are seeded with, drawn from the key of the rows file."""
    return int.from_bytes(blake2b(b"rows", key=key, digest_size=8).digest())
