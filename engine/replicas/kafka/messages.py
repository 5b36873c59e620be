"""Decodes messages of the topics: the key names a record, the value holds it.

Pure. Keys have one spelling, because compaction compares bytes. A message with another spelling, a key of another registry or
no valid key comes from another program and is not a record. Only the payload counts: versions are hashed from `after`, never
read from a header.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal, NamedTuple

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import decode_record
from engine.errors import ReplicaRejected, SourceInvalid
from engine.replicas.history.revisions import payload_fields
from engine.replicas.kafka.topics import REPLICA

SCHEMA_VERSION = 1  # to be increased when the shape of messages changes


class Message(msgspec.Struct, frozen=True):
    """A message to send; a value of None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def is_as_read(self, entry: "TopicEntry") -> bool:
        """Whether the entry is this message, byte for byte."""
        return self.value == entry.value and self.key == entry.key and dict(self.headers) == entry.headers


class TopicEntry(msgspec.Struct, frozen=True):
    """A message in a topic."""

    topic: str
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = {}


class SiteKey(NamedTuple):
    """A record of a home."""

    site: str
    key: Key


class PlacedEntry(TopicEntry, frozen=True):
    """A message and its partition."""

    partition: int = 0


class _KeyText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    site: str
    registry: str
    id: str


class _Payload(msgspec.Struct, frozen=True):
    after: msgspec.Raw = msgspec.Raw(b"null")


_encode = msgspec.json.Encoder().encode
_decode_key = msgspec.json.Decoder(_KeyText).decode
_decode_payload = msgspec.json.Decoder(_Payload).decode


def encode_key(site: str, key: Key) -> bytes:
    """The one spelling of a record's key."""
    return _encode(_KeyText(site, key.registry, key.id))


def site_prefix(site: str) -> bytes:
    """The prefix of every key of a home."""
    return b'{"site":' + _encode(site) + b","


def decode_key(data: bytes | None, registry: str) -> SiteKey | None:
    """The record that a key names; None for a key that this program would not write to that registry's topic."""
    if data is None:
        return None
    try:
        found = _decode_key(data)
    except DECODE_ERRORS:
        return None
    key = Key(found.registry, found.id)
    if key.registry != registry or data != encode_key(found.site, key):
        return None
    return SiteKey(found.site, key)


def version_in(entry: TopicEntry, key: Key) -> str | None:
    """The version of the record in the payload; None for a deleted one. Raises ReplicaRejected for a newer schema."""
    _check_schema(entry, key)
    if entry.value is None:
        return None
    record = _record_in(entry.value, key)
    if record is None:
        return f"?:{blake2b(entry.value, digest_size=16).hexdigest()}"
    return content_hash(record) if isinstance(record, Record) else None


def fields_in(entry: TopicEntry, key: Key) -> dict[str, Json] | None:
    """The record in a message, for users, even if it is malformed; None for a deleted one. Raises ReplicaRejected."""
    _check_schema(entry, key)
    if entry.value is None:
        return None
    try:
        after = _decode_payload(entry.value).after
    except DECODE_ERRORS:
        return payload_fields(key.registry, entry.value.decode("utf-8", "replace"))
    if bytes(after) == b"null":
        return None
    return payload_fields(key.registry, bytes(after).decode("utf-8", "replace"))


def _check_schema(entry: TopicEntry, key: Key) -> None:
    text = entry.headers.get("schema", b"").decode("ascii", "replace")
    if text.isdigit() and int(text[:9]) > SCHEMA_VERSION:
        raise ReplicaRejected(
            REPLICA,
            f"{key} was written with schema version {text}, and this program knows {SCHEMA_VERSION}.",
            "Nothing was changed. Update this program.",
        )


def _record_in(value: bytes, key: Key) -> Record | Literal[False] | None:
    """The record in a value; False for a deleted one, None for a value that cannot be decoded."""
    try:
        after = _decode_payload(value).after
        if bytes(after) == b"null":
            return False
        record = decode_record(key.registry, after)
    except (SourceInvalid, *DECODE_ERRORS):
        return None
    return record if record.id_value == key.id else None
