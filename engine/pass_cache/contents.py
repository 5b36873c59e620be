"""The contents of a pass cache and their format: sealed, so that bytes which we did not write are never taken for a cache.

    mark, seal of the front, length of the front   format and writer; 52 bytes
    front      how the home was read, and digests of its lists and replicas: all that a pass needs to see that nothing changed
    index      for each list row its digest, and the key and version of its record
    records    the records themselves, each a line of JSON

The seal is a digest with a key from the rows file, and covers the digests of index and records, which use the
same key. So a cache belongs to one rows file; a truncated, edited or differently versioned one is None or CacheDamaged, and
everything is then read as if there were none. The digest of the records, which are most of the cache, is a quick one against
damage; decoding checks each record against its sealed hash.
"""

from array import array
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate, repeat
from typing import TypeAlias, overload

import msgspec

from engine.core.home.home import hash_of
from engine.core.home.reading import Reading
from engine.core.records.content_hash import HASH_VERSION, content_hash
from engine.core.records.record import Key, Record
from engine.core.records.record_json import decode_record
from engine.errors import EngineError, SourceInvalid
from engine.pass_cache.packed import PackedBytes
from engine.pass_cache.seals import Piece, digest_of, quick_digest

# Increase this number whenever the format changes, or the way in which an answer's bytes become records.
FORM = 4
# A home of 200,000 entities makes 130 MB.
BYTES_MAX = 256 * 2**20

_MARK = b"ha-reconcile %03d\n" % FORM
_SEAL_BYTES, _LENGTH_BYTES, _DIGEST_BYTES = 32, 4, 16
_START_BYTES = 2**19  # the front of a home of 20,000 entities, and more
_FRONT_AT = len(_MARK) + _SEAL_BYTES + _LENGTH_BYTES

Read: TypeAlias = Callable[[int, int], bytes]


class CacheDamaged(EngineError):
    """The cache is damaged. All data read from it so far was sealed; the pass starts again without it."""


class ListMap(msgspec.Struct, frozen=True, array_like=True):
    """The list of one registry in Home Assistant's answer: its stretches (see `RowMap`); none if it was not such an answer."""

    name: str
    registry: str
    rows: int
    digests: bytes = b""  # of the stretches, concatenated
    sizes: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()


class ListRows(msgspec.Struct, frozen=True, array_like=True):
    """The rows of one list in its order, a column each; `lengths` are those of the encoded records."""

    fingerprints: bytes
    ids: list[str]
    versions: list[str]
    lengths: list[int]
    entity_ids: list[str] = []
    device_ids: list[str | None] = []
    extended: bytes = b""  # fingerprints of the extended rows, if those are compared too


class CachedReplica(msgspec.Struct, frozen=True, array_like=True):
    """A replica that was equal to the home: digests of all its rows and of its ledger entries."""

    name: str
    rows: str
    ledger_digest: str


class CachedSource(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a read besides the lists' rows; a source reads again if any of them changed.

    `answers` are the digests, by name, of answers that are compared as a whole; `seed` is that of the rows' fingerprints.
    """

    form: str
    seed: int
    answers: dict[str, str] = {}
    aliases_ordered: bool = True
    scopes: dict[str, int] = {}  # number of entities in categories, by the categories' scope


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """Everything except the rows. `program` is the version that wrote it: another may read the same bytes differently."""

    program: str
    hash_version: int
    source: CachedSource
    reading: Reading
    names_as_of: tuple[int, int] | None
    entry_ids: frozenset[str]
    positions: list[tuple[Key, int]]
    lists: tuple[ListMap, ...]
    replicas: tuple[CachedReplica, ...]
    index_bytes: int
    index_digest: bytes
    records_bytes: int
    records_digest: bytes


_FRONT = msgspec.msgpack.Decoder(Front)
_INDEX = msgspec.msgpack.Decoder(list[ListRows])
_encode = msgspec.msgpack.Encoder().encode


class Cache:
    """A cache whose front we sealed. Rows are numbered across all lists, from 0."""

    def __init__(self, front: Front, key: bytes, read: Read, end: int) -> None:
        """Index and records start at `end`, and are read on access."""
        self.front = front
        self._key = key
        self._read = read
        self._end = end
        self._packed: PackedBytes | None = None

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The position of each list's first row, followed by the total number of rows."""
        return tuple(accumulate((listed.rows for listed in self.front.lists), initial=0))

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.starts[-1]

    @cached_property
    def index(self) -> list[ListRows]:
        """The columns of each list. Raises CacheDamaged."""
        section = self._read(self._end, self.front.index_bytes)
        if digest_of((section,), self._key, _DIGEST_BYTES) != self.front.index_digest:
            raise _damaged()
        return _INDEX.decode(section)

    @cached_property
    def keys(self) -> list[Key]:
        """The key of each row's record. Raises CacheDamaged."""
        lists = zip(self.front.lists, self.index, strict=True)
        return [Key(listed.registry, id_) for listed, rows in lists for id_ in rows.ids]

    @cached_property
    def hashes(self) -> "_Hashes":
        """The content hash of each row's record. Raises CacheDamaged."""
        return _Hashes(self.versions)

    @cached_property
    def versions(self) -> list[str]:
        """The row version of each row's record. Raises CacheDamaged."""
        return [version for rows in self.index for version in rows.versions]

    @cached_property
    def entity_ids(self) -> list[str]:
        """The entity_id of each row's entity; empty for other rows. Raises CacheDamaged."""
        return [id_ for rows in self.index for id_ in rows.entity_ids or repeat("", len(rows.ids))]

    @cached_property
    def device_ids(self) -> list[str | None]:
        """The device of each row's entity; None for other rows. Raises CacheDamaged."""
        return [id_ for rows in self.index for id_ in rows.device_ids or repeat(None, len(rows.ids))]

    @cached_property
    def bounds(self) -> "array[int]":
        """The offset at which each encoded record begins, and the end of the last. Raises CacheDamaged."""
        lengths = (length for rows in self.index for length in rows.lengths)
        return array("Q", accumulate(lengths, initial=0))

    @cached_property
    def records(self) -> memoryview:
        """The encoded records. Raises CacheDamaged."""
        section = self._read(self._end + self.front.index_bytes, self.front.records_bytes)
        if quick_digest((section,), self._key) != self.front.records_digest:
            raise _damaged()
        return memoryview(section)

    def encoded(self, position: int) -> Piece:
        """One encoded record. Raises CacheDamaged."""
        return self.encoded_together(position, position + 1)

    def encoded_together(self, begin: int, end: int) -> Piece:
        """The encoded records from position `begin` up to, not including, `end`. Raises CacheDamaged."""
        start, stop = self.bounds[begin], self.bounds[end]
        return self.records[start:stop] if self._packed is None else self._packed.read(start, stop)

    def record(self, position: int) -> Record:
        """One record. Raises CacheDamaged."""
        registry = self.keys[position].registry
        try:
            record = decode_record(registry, bytes(self.encoded(position)))
        except SourceInvalid as error:
            raise _damaged() from error
        if content_hash(record) != self.hashes[position]:
            raise _damaged()
        return record

    def check(self) -> None:
        """Check everything now. Raises CacheDamaged."""
        assert self.records is not None, "the property raises if the records are damaged"
        if self.bounds[-1] != len(self.records) or len(self.keys) != self.count:
            raise _damaged()

    def pack(self) -> None:
        """Check everything now, and keep it compactly: for a service, which may need it for years. Raises CacheDamaged."""
        self.check()
        self._packed = PackedBytes(self.__dict__.pop("records"))
        devices = dict[str | None, str | None]()
        for rows in self.index:
            rows.lengths.clear()  # the bounds contain the same
            rows.device_ids[:] = [devices.setdefault(id_, id_) for id_ in rows.device_ids]


class _Hashes(Sequence[str]):
    """The content hashes at the start of the rows' versions. Made on access: those of 20,000 entities would take 2 MiB."""

    def __init__(self, versions: Sequence[str]) -> None:
        self._versions = versions

    def __len__(self) -> int:
        return len(self._versions)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [hash_of(version) for version in self._versions[position]]
        return hash_of(self._versions[position])


def open_cache(read: Read, key: bytes, program: str) -> Cache | None:
    """The cache in these bytes; None unless this program wrote it for the rows file with that key.

    `read(at, size)` returns up to `size` bytes from the offset `at`.
    """
    start = read(0, _START_BYTES)
    if len(start) < _FRONT_AT or not start.startswith(_MARK):
        return None
    seal, length = start[len(_MARK) : len(_MARK) + _SEAL_BYTES], start[_FRONT_AT - _LENGTH_BYTES : _FRONT_AT]
    end = _FRONT_AT + int.from_bytes(length, "big")
    if end > BYTES_MAX:
        return None
    sealed = start[_FRONT_AT:end] if end <= len(start) else read(_FRONT_AT, end - _FRONT_AT)
    if digest_of((sealed,), key, _SEAL_BYTES) != seal:
        return None
    try:
        front = _FRONT.decode(sealed)
    except msgspec.DecodeError:
        return None  # the same format number with other fields: a program under development
    if front.program != program or front.hash_version != HASH_VERSION:
        return None
    return Cache(front, key, read, end)


def seal_cache(front: Front, index: Sequence[ListRows], records: Sequence[Piece], key: bytes) -> list[Piece]:
    """The bytes of a cache in consecutive pieces, with the sizes and digests in `front` filled in.

    The records, which are most of the cache, are not copied.
    """
    encoded_index = _encode(index)
    front = msgspec.structs.replace(
        front,
        index_bytes=len(encoded_index),
        index_digest=digest_of((encoded_index,), key, _DIGEST_BYTES),
        records_bytes=sum(map(len, records)),
        records_digest=quick_digest(records, key),
    )
    encoded = _encode(front)
    length = len(encoded).to_bytes(_LENGTH_BYTES, "big")
    return [_MARK, digest_of((encoded,), key, _SEAL_BYTES), length, encoded, encoded_index, *records]


def _damaged() -> CacheDamaged:
    return CacheDamaged(
        "The pass cache is not what was written.", "Nothing has to be done: everything is read instead."
    )
