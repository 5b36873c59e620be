"""Records of rows that were read before, found again by the bytes they were made from.

A home hardly changes between two reads, so most answers, and nearly all rows of the others, are the bytes of
last time. Those are neither decoded nor hashed again. Nothing here outlives the process, and nothing keeps
an answer's bytes: only fingerprints, records and hashes.

Invariant: what is returned depends on the answer alone; a cache only makes it faster. A row's record depends
on its bytes and on the name it is kept under, so whatever else it depends on must be in that name.
"""

import secrets
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import xxhash

from engine.core.content_hash import content_hash
from engine.core.record import Key, Record
from engine.errors import SourceInvalid
from engine.sources.json_text import decode_json
from engine.sources.registry_rows import at_position

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class Known(NamedTuple):
    """A record, its content hash, and its key, which is not cheap to ask for."""

    record: Record
    hash: str
    key: Key


class Fingerprint:
    """Names bytes by 16 others. The seed is drawn, because a device's name must not choose a collision."""

    def __init__(self) -> None:
        self._seed = secrets.randbits(64)

    def __call__(self, data: bytes | msgspec.Raw) -> bytes:
        """The fingerprint of `data`, equal for equal bytes while this object lives."""
        return xxhash.xxh3_128_digest(memoryview(data), self._seed)


class _List(NamedTuple):
    answer: bytes
    rows: tuple[Known, ...]
    by_row: dict[bytes, Known]


class RowCache:
    """The lists of last time, each under a name."""

    def __init__(self) -> None:
        self._fingerprint = Fingerprint()
        self._lists: dict[str, _List] = {}

    def records(
        self, name: str, answer: msgspec.Raw, make: Callable[[msgspec.Raw], Record]
    ) -> tuple[Known, ...]:
        """The records of a list result, in its order; `make` turns a row that is new into a record.

        Raises SourceInvalid with the name and the row's position when the answer or a row cannot be read.
        """
        digest = self._fingerprint(answer)
        last = self._lists.get(name)
        if last is not None and last.answer == digest:
            return last.rows
        before = last.by_row if last is not None else {}
        by_row: dict[bytes, Known] = {}
        rows: list[Known] = []
        items = decode_json(_ROWS, answer, f"The {name} list")
        for position, row in enumerate(items):
            row_digest = self._fingerprint(row)
            known = before.get(row_digest)
            if known is None:
                try:
                    known = known_record(make(row))
                except SourceInvalid as error:
                    raise at_position(name, position, error) from error
            by_row[row_digest] = known
            rows.append(known)
        self._lists[name] = _List(digest, tuple(rows), by_row)
        return self._lists[name].rows


def known_record(record: Record) -> Known:
    """A record with its hash and key computed."""
    return Known(record, content_hash(record), record.key)
