"""Records of rows that were read before, found again by the bytes they were made from.

A home hardly changes between two reads, so most answers, and nearly all rows of the others, are the bytes of
last time. Those are neither decoded nor hashed again. Nothing here outlives the process, and nothing keeps
an answer's bytes: only fingerprints, records and hashes.

Invariant: what is returned depends on the answer alone; a cache only makes it faster. A row's record depends
on its bytes and on the name it is kept under, so whatever else it depends on must be in that name.
"""

import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, cast

import msgspec
import xxhash

from engine.core.record import Record
from engine.errors import SourceInvalid
from engine.sources.json_text import decode_json
from engine.sources.listing import Known, Listing, known_record
from engine.sources.registry_rows import at_position
from engine.sources.shared_values import SharedValues

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class Fingerprint:
    """Names bytes by 16 others. The seed is drawn, because a device's name must not choose a collision."""

    def __init__(self) -> None:
        self._digest = partial(xxhash.xxh3_128_digest, seed=secrets.randbits(64))

    def __call__(self, data: bytes | msgspec.Raw) -> bytes:
        """The fingerprint of `data`, equal for equal bytes while this object lives."""
        return self._digest(memoryview(data))

    def of_each(self, rows: Iterable[msgspec.Raw]) -> list[bytes]:
        """The fingerprint of each row."""
        return [self._digest(memoryview(row)) for row in rows]


class _List(NamedTuple):
    answer: bytes
    rows: Listing
    by_row: dict[bytes, Known]


class RowCache:
    """The lists of last time, each under a name."""

    def __init__(self) -> None:
        self._fingerprint = Fingerprint()
        self._lists: dict[str, _List] = {}

    def records(self, name: str, answer: msgspec.Raw, make: Callable[[msgspec.Raw], Record]) -> Listing:
        """The records of a list result, in its order; `make` turns a row that is new into a record.

        Raises SourceInvalid with the name and the row's position when the answer or a row cannot be read.
        """
        digest = self._fingerprint(answer)
        last = self._lists.get(name)
        if last is not None and last.answer == digest:
            return last.rows
        before = last.by_row if last is not None else {}
        items = decode_json(_ROWS, answer, f"The {name} list")
        fingerprints = self._fingerprint.of_each(items)
        rows = list(map(before.get, fingerprints))
        values = SharedValues()
        for position, known in enumerate(rows):
            if known is None:
                try:
                    rows[position] = known_record(make(items[position]), values)
                except SourceInvalid as error:
                    raise at_position(name, position, error) from error
        complete = cast("list[Known]", rows)
        by_row = dict(zip(fingerprints, complete, strict=True))
        self._lists[name] = _List(digest, Listing(complete), by_row)
        return self._lists[name].rows
