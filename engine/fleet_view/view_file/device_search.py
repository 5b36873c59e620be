"""Which devices a question is about: the shortest way there, and what is left to be looked at row by row.

The index finds whole words. The beginning of a word stands for all words that begin so, if they are few; the
beginning of very many is compared with each row, where nearly every row has it. Each question looks at a bounded number of rows
and then says where it stopped, so that none holds up the others.
"""

# ruff: noqa: S608 (names in statements are our own; values are bound)

from collections.abc import Iterator, Sequence
from typing import Any

import apsw
import msgspec

from engine.fleet_view.view_file.numbers import LAST, numbers_of_site, site_of
from engine.fleet_view.view_file.schema import read_rows
from engine.fleet_view.view_file.words import words_of
from engine.fleet_view.view_file.writing import model_word

ROWS_MAX = 30_000  # looked at for one page
_BEGINNINGS_MAX = 300  # words that one beginning stands for
_RARE_DEVICES_MAX = 50_000  # devices for which the index may gather all words of a beginning
_MODELS_MAX = 1_000
_FEW_SITES = 64
_FEW_SITES_SHARE = 0.05

_COLUMNS = "d.number, d.id, d.name, m.manufacturer, m.model, m.sw_version, d.hw_version, d.model, d.model_id, d.serial"
_FROM_INDEX = (
    f"SELECT {_COLUMNS} FROM search CROSS JOIN device AS d ON d.number = search.rowid JOIN model AS m ON m.number = d.model"
    " WHERE search MATCH ? AND search.rowid BETWEEN ? AND ? ORDER BY search.rowid"
)
_FROM_ROWS = (
    f"SELECT {_COLUMNS} FROM device AS d JOIN model AS m ON m.number = d.model"
    " WHERE d.number BETWEEN ? AND ? ORDER BY d.number"
)


class Question(msgspec.Struct, frozen=True):
    """Which devices are wanted: of these models and homes (None: of all), with all of these words, behind this number."""

    words: tuple[str, ...]
    models: frozenset[int] | None
    sites: frozenset[int] | None
    after: int
    limit: int


class DeviceRow(msgspec.Struct, frozen=True):
    """A device as it stands in the file."""

    number: int
    id: str
    name: str
    manufacturer: str
    model: str
    sw_version: str
    hw_version: str


class DeviceRows(msgspec.Struct, frozen=True):
    """Devices in the order of their numbers, and the row behind which the next page begins, if there may be one."""

    rows: list[DeviceRow]
    stopped_at: DeviceRow | None


class _Plan(msgspec.Struct, frozen=True):
    match: str  # what the index is asked; empty: rows are read as they lie
    beginnings: tuple[str, ...]  # that are compared with each row
    models: frozenset[int] | None  # likewise


def find_devices(connection: apsw.Connection, question: Question, sites_in_all: int) -> DeviceRows:
    """One page of them. It may have fewer rows than wanted, even none, and still not be the last."""
    if question.models == frozenset() or question.sites == frozenset():
        return DeviceRows([], None)
    ranges, sites = _ranges(question, sites_in_all)
    plan = _plan(connection, question, is_whole=len(ranges) == 1)
    rows: list[DeviceRow] = []
    for looked_at, values in enumerate(_candidates(connection, plan, ranges), start=1):
        row = DeviceRow(*values[:7])
        if _fits(values, plan, sites):
            if len(rows) == question.limit:
                return DeviceRows(rows, rows[-1])
            rows.append(row)
        if looked_at >= ROWS_MAX:
            return DeviceRows(rows, row)
    return DeviceRows(rows, None)


def _candidates(
    connection: apsw.Connection, plan: _Plan, ranges: Sequence[tuple[int, int]]
) -> Iterator[tuple[Any, ...]]:
    for first, last in ranges:
        if plan.match:
            yield from connection.execute(_FROM_INDEX, (plan.match, first, last))
        else:
            yield from connection.execute(_FROM_ROWS, (first, last))


def _fits(values: tuple[Any, ...], plan: _Plan, sites: frozenset[int] | None) -> bool:
    if sites is not None and site_of(values[0]) not in sites:
        return False
    if plan.models is not None and values[7] not in plan.models:
        return False
    if not plan.beginnings:
        return True
    words = words_of((*values[2:6], *values[8:]))
    return all(any(word.startswith(beginning) for word in words) for beginning in plan.beginnings)


def _ranges(question: Question, sites_in_all: int) -> tuple[list[tuple[int, int]], frozenset[int] | None]:
    """Where to look, in order, and which homes still have to be distinguished there."""
    start = question.after + 1
    sites = question.sites
    if sites is None or len(sites) > max(_FEW_SITES, sites_in_all * _FEW_SITES_SHARE):
        return [(start, LAST)], sites
    ranges = [numbers_of_site(site) for site in sorted(sites)]
    return [(max(first, start), last) for first, last in ranges if last >= start], None


def _plan(connection: apsw.Connection, question: Question, *, is_whole: bool) -> _Plan:
    terms: list[str] = []
    beginnings: list[str] = []
    for word in question.words:
        term = _term(connection, word, is_whole=is_whole)
        if term is None:
            beginnings.append(word)
        else:
            terms.append(term)
    models = question.models
    if models is not None and len(models) <= _MODELS_MAX:
        terms.append(_any_of(model_word(number) for number in sorted(models)))
        models = None
    return _Plan(" AND ".join(terms), tuple(beginnings), models)


def _term(connection: apsw.Connection, word: str, *, is_whole: bool) -> str | None:
    """What to ask the index for a beginning; None where that takes longer than looking."""
    rows = read_rows(
        connection,
        "SELECT word, devices FROM word WHERE word >= ? AND word < ? LIMIT ?",
        (word, word + chr(0x10FFFF), _BEGINNINGS_MAX + 1),
    )
    if len(rows) <= _BEGINNINGS_MAX:
        return _any_of(found for found, _ in rows) if rows else _any_of((word,))
    if not is_whole:
        return None
    (devices,) = read_rows(
        connection,
        "SELECT sum(devices) FROM word WHERE word >= ? AND word < ?",
        (word, word + chr(0x10FFFF)),
    )[0]
    return f'"{word}" *' if devices <= _RARE_DEVICES_MAX else None


def _any_of(words: Iterator[str] | tuple[str, ...]) -> str:
    return "(" + " OR ".join(f'"{word}"' for word in words) + ")"
