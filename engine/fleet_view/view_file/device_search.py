"""Finds the devices that match a query: chooses the cheapest access path and checks the remaining conditions row by row.

The index finds whole words. A prefix is replaced by all words that begin with it, if they are few; a prefix of very many words is
compared with each row, because nearly every row has it. A query reads a bounded number of rows and then returns where it stopped,
so that no query delays the others.
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

ROWS_MAX = 30_000  # rows read for one page
_BEGINNINGS_MAX = 300  # words that may replace one prefix
_RARE_DEVICES_MAX = 50_000  # devices for which the index may collect all words of a prefix
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
    """The devices to find: of these models and homes (None: of all), with all of these words, after this number."""

    words: tuple[str, ...]
    models: frozenset[int] | None
    sites: frozenset[int] | None
    after: int
    limit: int


class DeviceRow(msgspec.Struct, frozen=True):
    """A device in the file."""

    number: int
    id: str
    name: str
    manufacturer: str
    model: str
    sw_version: str
    hw_version: str


class DeviceRows(msgspec.Struct, frozen=True):
    """Devices in the order of their numbers, and the row after which the next page begins, if there may be one."""

    rows: list[DeviceRow]
    stopped_at: DeviceRow | None


class _Plan(msgspec.Struct, frozen=True):
    match: str  # the query to the index; empty: rows are read in order
    beginnings: tuple[str, ...]  # prefixes to compare with each row
    models: frozenset[int] | None  # models to compare with each row


def find_devices(connection: apsw.Connection, question: Question, sites_in_all: int) -> DeviceRows:
    """One page of devices. It may have fewer rows than requested, even none, and still not be the last page."""
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
    """The ranges to read, in order, and the homes to filter by within them."""
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
    """The index query for a prefix; None if that costs more than reading the rows."""
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
