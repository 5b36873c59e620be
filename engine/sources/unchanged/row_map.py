"""The rows of a list's answer by their fingerprints, and which of them were not known before.

A home hardly changes between two reads, so nearly all of an answer are the bytes of last time. They are compared in
stretches of a few rows; only what is between known stretches is taken apart. With 1 % of 20,000 rows changed this
costs less than half of splitting all of them.

Invariant: what is found are the rows of the JSON list, whatever the answer looks like. A known stretch was rows and
what separates them, and is taken over byte for byte; whatever is between two is rows that are known, or JSON by
themselves. A wrong guess at where a row begins therefore costs time and nothing else.
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
# Where one row ends and the next begins. Within a row, as in a list of objects, it is a wrong guess.
_BOUNDARY = re.compile(rb"\},\{")

# Fewer rows make more stretches to compare, more rows are to be looked at for each that changed.
_STRETCH_ROWS = 8
# Behind a changed row mostly comes the next stretch; all are searched when none of so many does.
_STRETCHES_NEAR = 4
# Rows that come and go leave short stretches behind. At this many times the necessary number, all are cut again.
_STRETCHES_RATIO_MAX = 2


class Row(NamedTuple):
    """One row of an answer; its position is counted from 0."""

    fingerprint: bytes
    data: msgspec.Raw
    position: int


class Found(NamedTuple):
    """The rows of an answer, and what of them was new."""

    rows: "RowMap"
    fresh: list[Row]
    gone: set[bytes]  # fingerprints of rows that only the answer before had


class _Names(Sequence[bytes]):
    """Some of the fingerprints that stand one behind the other."""

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
    size: int  # bytes, the comma or bracket behind each row included
    rows: Sequence[bytes]  # their fingerprints


_NOWHERE = _Stretch(b"", 0, ())


class RowMap:
    """Which rows an answer has, in its order. Keeps nothing of its bytes."""

    def __init__(self, fingerprint: Fingerprint, stretches: list[_Stretch], count: int) -> None:
        """Takes what it is given: all of an answer but the bracket before it, `count` rows. See `find_rows`."""
        self._fingerprint = fingerprint
        self._stretches = stretches
        self._count = count

    @classmethod
    def recalled(
        cls, fingerprint: Fingerprint, known: ListMap, fingerprints: Callable[[], bytes]
    ) -> "RowMap":
        """The map that was kept as `known`; the rows' `fingerprints`, concatenated, are read when needed."""
        ends = list(accumulate(known.counts, initial=0))
        digests = (known.digests[at : at + NAME_BYTES] for at in range(0, len(known.digests), NAME_BYTES))
        stretches = [
            _Stretch(digest, size, _Names(fingerprints, begin, end))
            for digest, size, (begin, end) in zip(digests, known.sizes, pairwise(ends), strict=True)
        ]
        return cls(fingerprint, stretches, known.rows)

    def keep(self, name: str, registry: str) -> ListMap:
        """What the map of the list of that name is kept as."""
        return ListMap(
            name,
            registry,
            self._count,
            b"".join(stretch.digest for stretch in self._stretches),
            tuple(stretch.size for stretch in self._stretches),
            tuple(len(stretch.rows) for stretch in self._stretches),
        )

    def __len__(self) -> int:
        """How many rows the answer has."""
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        """The fingerprints of all rows, in the answer's order."""
        return chain.from_iterable(stretch.rows for stretch in self._stretches)

    def followed(self, view: memoryview, known: Container[bytes]) -> Found:
        """The rows of the answer after this one, of which most is known; see `find_rows`. Raises _CannotFollow."""
        if bytes(view[:1]) != b"[" or bytes(view[-1:]) != b"]":
            raise _CannotFollow
        stretches: list[_Stretch] = []
        fresh: list[Row] = []
        came, went = set[bytes](), set[bytes]()
        digest_of, end = self._fingerprint.of, len(self._stretches)
        at, index, count = 1, 0, 0
        while at < len(view):
            # This runs once per stretch of the home, so it only looks.
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
        """What seems to be rows from `at` up to a known stretch, from `index` on: offsets, fingerprints, its index.

        Offsets are those of the rows and of what follows: that stretch, or the end of the answer.
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
        """Which of these stretches begins with a row."""
        return {s.rows[0]: nth for nth, s in enumerate(self._stretches[begin:end], begin) if s.rows}


class _CannotFollow(Exception):
    """The answer has to be split from its beginning to its end."""


def find_rows(
    fingerprint: Fingerprint, before: RowMap | None, answer: msgspec.Raw, known: Container[bytes], what: str
) -> Found:
    """The rows of an answer, `before` being the map of the one before; that very map where no byte changed.

    Rows whose fingerprints are `known` (all of `before` have to be) are not fresh. Raises SourceInvalid, with `what` as
    its subject, when it is no list.
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
        # No rows, or not only commas between them: one stretch, which only the very same answer has.
        stretches = [_Stretch(fingerprint.of(view[1:]), len(view) - 1, names)]
    return Found(RowMap(fingerprint, stretches, len(names)), fresh, set())


def _one_row(text: memoryview) -> msgspec.Raw:
    """The text as one row, on its own. Raises _CannotFollow."""
    try:
        return decode_json(_ROW, msgspec.Raw(bytes(text)), "It")
    except SourceInvalid:
        raise _CannotFollow from None


def _cut(
    fingerprint: Fingerprint, view: memoryview, offsets: Sequence[int], names: Sequence[bytes]
) -> list[_Stretch]:
    """Stretches of rows that stand one behind the other; `offsets` has their beginnings and where the last ends."""
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
