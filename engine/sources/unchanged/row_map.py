"""Finds the rows of a list's answer by their fingerprints, and those that were not known before.

A home hardly changes between two reads, so nearly all bytes of an answer are the same as last time. They are compared in
stretches of a few rows; only the bytes between known stretches are split into rows. With 1 % of 20,000 rows changed this
costs less than half of splitting all of them.

Invariant: the result is the rows of the JSON list, for any answer. A known stretch consists of rows and
their separators, and is taken over byte for byte; between two stretches there are only known rows or complete JSON
values. A wrong guess at where a row begins therefore costs nothing but time.
"""

import re
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import NamedTuple, overload

import msgspec

from engine.errors import SourceInvalid
from engine.pass_cache.contents import ListMap
from engine.sources.json_text import decode_json
from engine.sources.unchanged.fingerprint import NAME_BYTES, Fingerprint

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ROW = msgspec.json.Decoder(msgspec.Raw)
# Ends one row and begins the next. Within a row, as in a list of objects, it is a wrong guess.
_BOUNDARY = re.compile(rb"\},\{")

# Fewer rows mean more stretches to compare; more rows mean more to look at for each changed one.
_STRETCH_ROWS = 8
# A changed row is usually followed by the next stretch; all are searched if none of this many matches.
_STRETCHES_NEAR = 4
# Added and removed rows leave short stretches behind. At this multiple of the necessary number, all are cut again.
_STRETCHES_RATIO_MAX = 2


class Row(msgspec.Struct, frozen=True):
    """One row of an answer; its position is counted from 0."""

    fingerprint: bytes
    data: msgspec.Raw
    position: int


class Found(NamedTuple):
    """The rows of an answer, and the new ones among them."""

    rows: "RowMap"
    fresh: list[Row]
    gone: set[bytes]  # fingerprints of rows that only the previous answer had


class _Names(Sequence[bytes]):
    """Some of the concatenated fingerprints."""

    def __init__(self, all_: Callable[[], bytes], begin: int, end: int) -> None:
        self._all = all_
        self._begin = begin
        self._count = end - begin

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, position: int) -> bytes: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[bytes]: ...
    def __getitem__(self, position: int | slice) -> bytes | Sequence[bytes]:
        return list(self)[position]

    def __iter__(self) -> Iterator[bytes]:
        names, begin = self._all(), self._begin * NAME_BYTES
        return (
            names[at : at + NAME_BYTES] for at in range(begin, begin + self._count * NAME_BYTES, NAME_BYTES)
        )


class _Stretch(NamedTuple):
    digest: bytes
    size: int  # bytes, including the comma or bracket after each row
    rows: Sequence[bytes]  # their fingerprints


_NOWHERE = _Stretch(b"", 0, ())


class RowMap:
    """The rows of an answer, in order. Keeps none of its bytes."""

    def __init__(self, fingerprint: Fingerprint, stretches: list[_Stretch], count: int) -> None:
        """`stretches` cover all of an answer after its opening bracket, with `count` rows. See `find_rows`."""
        self._fingerprint = fingerprint
        self._stretches = stretches
        self._count = count

    @classmethod
    def recalled(
        cls, fingerprint: Fingerprint, known: ListMap, fingerprints: Callable[[], bytes]
    ) -> "RowMap":
        """The map that was stored as `known`; the rows' concatenated `fingerprints` are read when needed."""
        ends = list(accumulate(known.counts, initial=0))
        digests = (known.digests[at : at + NAME_BYTES] for at in range(0, len(known.digests), NAME_BYTES))
        stretches = [
            _Stretch(digest, size, _Names(fingerprints, begin, end))
            for digest, size, (begin, end) in zip(digests, known.sizes, pairwise(ends), strict=True)
        ]
        return cls(fingerprint, stretches, known.rows)

    def keep(self, name: str, registry: str) -> ListMap:
        """The map in the form in which a cache keeps it, for the list of that name."""
        return ListMap(
            name,
            registry,
            self._count,
            b"".join(stretch.digest for stretch in self._stretches),
            tuple(stretch.size for stretch in self._stretches),
            tuple(len(stretch.rows) for stretch in self._stretches),
        )

    def __len__(self) -> int:
        """The number of rows."""
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        """The fingerprints of all rows, in the answer's order."""
        return chain.from_iterable(stretch.rows for stretch in self._stretches)

    def followed(self, view: memoryview, known: Container[bytes]) -> Found:
        """The rows of the next answer, which is mostly known; see `find_rows`. Raises _CannotFollow."""
        if bytes(view[:1]) != b"[" or bytes(view[-1:]) != b"]":
            raise _CannotFollow
        stretches: list[_Stretch] = []
        fresh: list[Row] = []
        came, went = set[bytes](), set[bytes]()
        digest_of, end = self._fingerprint.of, len(self._stretches)
        at, index, count = 1, 0, 0
        while at < len(view):
            # This runs once per stretch of the home, so it does as little as possible.
            stretch = self._stretches[index] if index < end else _NOWHERE
            if digest_of(view[at : at + stretch.size]) == stretch.digest:
                stretches.append(stretch)
                at, index, count = at + stretch.size, index + 1, count + len(stretch.rows)
                continue
            if at > 1 and bytes(view[at - 1 : at]) != b",":
                raise _CannotFollow
            offsets, names, following = self._find_known(view, at, index)
            went.update(*(stretch.rows for stretch in self._stretches[index:following]))
            for position, name in enumerate(names):
                if name not in went and name not in known:
                    row = _one_row(view[offsets[position] : offsets[position + 1] - 1])
                    fresh.append(Row(name, row, count + position))
            stretches += _cut(self._fingerprint, view, offsets, names)
            came.update(names)
            at, index, count = offsets[-1], following, count + len(names)
        if stretches == self._stretches:
            return Found(self, [], set())
        if len(stretches) > _STRETCHES_RATIO_MAX * (count // _STRETCH_ROWS + 1):
            raise _CannotFollow
        went.update(*(stretch.rows for stretch in self._stretches[index:]))
        return Found(RowMap(self._fingerprint, stretches, count), fresh, went - came)

    def _find_known(self, view: memoryview, at: int, index: int) -> tuple[list[int], list[bytes], int]:
        """Candidate rows from `at` up to a known stretch at or after `index`: offsets, fingerprints, the stretch's index.

        The offsets are those of the rows and of what follows: that stretch, or the end of the answer.
        """
        digest, offsets, names = self._fingerprint.of, [at], list[bytes]()
        starts = self._starts(index, index + _STRETCHES_NEAR)
        for match in _BOUNDARY.finditer(view, at):
            comma = match.start() + 1
            name = digest(view[at:comma])
            found = starts.get(name, -1)
            if found >= index:
                stretch = self._stretches[found]
                if digest(view[at : at + stretch.size]) == stretch.digest:
                    return offsets, names, found
            names.append(name)
            at = comma + 1
            offsets.append(at)
            if len(names) == _STRETCHES_NEAR * _STRETCH_ROWS:
                starts = self._all_starts
        names.append(digest(view[at:-1]))
        offsets.append(len(view))
        return offsets, names, len(self._stretches)

    @cached_property
    def _all_starts(self) -> dict[bytes, int]:
        return self._starts(0, len(self._stretches))

    def _starts(self, begin: int, end: int) -> dict[bytes, int]:
        """The positions of these stretches by their first row."""
        return {s.rows[0]: nth for nth, s in enumerate(self._stretches[begin:end], begin) if s.rows}


class _CannotFollow(Exception):
    """The answer has to be split from its beginning to its end."""


def find_rows(
    fingerprint: Fingerprint, before: RowMap | None, answer: msgspec.Raw, known: Container[bytes], what: str
) -> Found:
    """The rows of an answer; `before` is the map of the previous one, and is returned itself if no byte changed.

    Rows whose fingerprints are `known` (all of `before` must be) are not fresh. Raises SourceInvalid, with `what` as
    its subject, when it is not a list.
    """
    if before is None:
        return _split(fingerprint, answer, known, what)
    try:
        return before.followed(memoryview(answer), known)
    except _CannotFollow:
        found = _split(fingerprint, answer, known, what)
        return found._replace(gone=set(before).difference(found.rows))


def _split(fingerprint: Fingerprint, answer: msgspec.Raw, known: Container[bytes], what: str) -> Found:
    """The rows of an answer, from its beginning to its end. Raises SourceInvalid."""
    rows = decode_json(_ROWS, answer, what)
    names = fingerprint.of_each(rows)
    found = map(Row, names, rows, range(len(rows)))
    fresh = [row for row in found if row.fingerprint not in known]
    view = memoryview(answer)
    offsets = list(accumulate((len(memoryview(row)) + 1 for row in rows), initial=1))
    if names and offsets[-1] == len(view):
        stretches = _cut(fingerprint, view, offsets, names)
    else:
        # No rows, or more than commas between them: one stretch, which only an identical answer matches.
        stretches = [_Stretch(fingerprint.of(view[1:]), len(view) - 1, names)]
    return Found(RowMap(fingerprint, stretches, len(names)), fresh, set())


def _one_row(text: memoryview) -> msgspec.Raw:
    """The text as one separate row. Raises _CannotFollow."""
    try:
        return decode_json(_ROW, msgspec.Raw(bytes(text)), "It")
    except SourceInvalid:
        raise _CannotFollow from None


def _cut(
    fingerprint: Fingerprint, view: memoryview, offsets: Sequence[int], names: Sequence[bytes]
) -> list[_Stretch]:
    """Stretches of consecutive rows; `offsets` has the rows' beginnings and the last one's end."""
    if len(names) < _STRETCH_ROWS * 2:
        bounds = [0, len(names)] if names else []
    else:
        count = len(names) // _STRETCH_ROWS
        bounds = [nth * len(names) // count for nth in range(count + 1)]
    return [
        _Stretch(
            fingerprint.of(view[offsets[begin] : offsets[end]]),
            offsets[end] - offsets[begin],
            names[begin:end],
        )
        for begin, end in pairwise(bounds)
    ]
