"""Wire v2's Flux queries, and the decoding of its annotated CSV.

Values are parameters, never part of a query: in Flux a string literal evaluates `${...}`. `range` always has a
stop, because its default, now, hides points that another clock dated later.

A scan returns values of one type per field: the type in the oldest shard of its window that has the field. So a foreign
value of another type hides ours in newer shards, without an error (2.7.11, seen 2026-11-23). An answer with such a
value is refused. If the value belongs to another site, it is not in the answer: then a plain look misses records, which
are written again, and a verifying look finds them altered.
"""

import calendar
import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs

from engine.errors import ReplicaRejected
from engine.replicas.influx.schema.points import COLUMN_TYPES, PAYLOAD_SCHEMA, REPLICA
from engine.replicas.influx.wires.failures import explain_cut, explain_statement
from engine.replicas.influx.wires.wire import Block, Scan

# 2100-01-01: later points are a mistake that only wire v1 shows.
STOP_NS_MAX = 4_102_444_800_000_000_000

# Flux's parser fails at 80 nested expressions, and a chain of `or` nests (2.7.12, seen 2026-11-28).
IDS_MAX = 100

_ROWS_PER_BLOCK = 5_000
_UNPLAIN = re.compile("[^A-Za-z0-9]+")
_ANNOTATIONS = ("#datatype", "#group", "#default")
_DATATYPES = {"string": "string", "integer": "long", "boolean": "boolean"}


def flux_script(bucket: str, scan: Scan) -> str:
    """A scan's Flux, preceded by assignments of its values as literals that evaluate nothing."""
    values = flux_params(bucket, scan)
    return "\n".join(
        [*(f"{name} = {flux_literal(value)}" for name, value in values.items()), flux_text(scan)]
    )


def flux_literal(value: int | str) -> str:
    """A number unchanged; a text with all but letters and digits escaped as bytes, so that nothing can end the literal."""
    if isinstance(value, int):
        return str(value)
    return f'"{_UNPLAIN.sub(_as_bytes, value)}"'


def flux_text(scan: Scan) -> str:
    """The Flux of a scan; its free names are the keys of `flux_params`."""
    steps = [
        "from(bucket: bucket)",
        "range(start: time(v: start), stop: time(v: stop))",
        f"filter(fn: (r) => {_any_of('_measurement', scan.measurements)})",
    ]
    if scan.site is not None:
        steps.append("filter(fn: (r) => r.site == site)")
    if "id" in scan.tags and len(scan.fields) > 1:
        steps.append('filter(fn: (r) => r.id != "")')  # such points belong to no record and cannot be pivoted
    if scan.ids:
        steps.append(f"filter(fn: (r) => {' or '.join(f'r.id == id{n}' for n in range(len(scan.ids)))})")
    steps.append(f"filter(fn: (r) => {_any_of('_field', scan.fields)})")
    if scan.equals is not None:
        steps.append("filter(fn: (r) => r._value == equals)")
    columns = _quoted("_measurement", "_time", *scan.tags, *scan.fields)
    if len(_types(scan.fields)) == 1:
        # Grouped first, by the storage engine: pivoting every series separately takes five times as long.
        steps.append('group(columns: ["_measurement"])')
        if scan.fields == ("schema",):
            # Only records that a newer program wrote: the others need not be transferred.
            steps.insert(-1, f"filter(fn: (r) => r._value > {PAYLOAD_SCHEMA})")
        if len(scan.fields) == 1:
            steps.append(f'rename(columns: {{_value: "{scan.fields[0]}"}})')
        else:
            steps.append(_pivot("_time", *scan.tags))
        steps.append(f"keep(columns: [{columns}])")
    else:
        # Values of different types cannot share a table until each has its own column.
        steps += [_pivot("_time"), f"keep(columns: [{columns}])", "group()"]
    if scan.newest_max is not None:
        steps += ['sort(columns: ["_time"], desc: true)', f"limit(n: {scan.newest_max})"]
    return "\n  |> ".join(steps)


def flux_scans(scan: Scan) -> list[Scan]:
    """The scans that replace it: their rows have the same times and tags, and together all columns.

    For many records, one per field type, each grouped before it is pivoted; and never more
    ids at once than Flux's parser, which nests them, accepts.
    """
    if scan.ids:
        pieces = range(0, len(scan.ids), IDS_MAX)
        return [structs.replace(scan, ids=scan.ids[first : first + IDS_MAX]) for first in pieces]
    if scan.newest_max is not None:
        return [scan]
    return [structs.replace(scan, fields=fields) for fields in _types(scan.fields).values()]


def flux_params(bucket: str, scan: Scan) -> dict[str, int | str]:
    """The values of the free names of `flux_text`."""
    stop_ns = STOP_NS_MAX if scan.stop_ns is None else min(scan.stop_ns, STOP_NS_MAX)
    params: dict[str, int | str] = {
        "bucket": bucket,
        "start": max(scan.start_ns, 0),
        "stop": max(stop_ns, 1),
    }
    if scan.site is not None:
        params["site"] = scan.site
    if scan.equals is not None:
        params["equals"] = scan.equals
    return params | {f"id{n}": id_ for n, id_ in enumerate(scan.ids)}


def _types(fields: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The fields by type; an unknown field may have any type."""
    found: dict[str, tuple[str, ...]] = {}
    for field in fields:
        kind = COLUMN_TYPES.get(field, field)
        found[kind] = (*found.get(kind, ()), field)
    return found


def _pivot(*row: str) -> str:
    return f'pivot(rowKey: [{_quoted(*row)}], columnKey: ["_field"], valueColumn: "_value")'


def _quoted(*names: str) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _as_bytes(found: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in found[0].encode("utf-8", "replace"))


def read_blocks(where: str, text: Iterable[str], scan: Scan) -> Iterator[Block]:
    """The rows in annotated CSV. Raises ReplicaError on an error table, values of another type, or anything but such CSV."""
    columns: list[str] = []
    defaults: list[str] = []
    types: list[str] = []
    rows: dict[str, list[list[Any]]] = {}
    values_of = _CellValues((), (), ())
    for cells in csv.reader(text, strict=True):
        if not cells or cells == [""]:
            columns = []
        elif cells[0] in _ANNOTATIONS:
            columns = []
            types = cells if cells[0] == "#datatype" else types
            defaults = cells if cells[0] == "#default" else defaults
        elif not columns:
            columns = cells
            if "_time" not in cells and "error" not in cells:
                raise explain_cut(where, f"this is no Flux result: {','.join(cells)[:80]}")
            _check_types(where, dict(zip(columns, types, strict=False)), scan)
            values_of = _CellValues(columns, types, scan.columns)
        else:
            _check_width(where, cells, columns)
            filled = _with_defaults(cells, defaults)
            if "error" in columns:
                raise explain_statement(where, filled[columns.index("error")])
            measurement, row = values_of(filled)
            if measurement not in scan.measurements:
                raise explain_cut(where, f"it has rows of {measurement[:80]!r}, which were not requested")
            collected = rows.setdefault(measurement, [])
            collected.append(row)
            if len(collected) >= _ROWS_PER_BLOCK:
                yield Block(measurement, rows.pop(measurement))
    for measurement, collected in rows.items():
        yield Block(measurement, collected)


class _CellValues:
    """Reads the cells below one header: the measurement, and [time, requested values]."""

    def __init__(self, columns: Sequence[str], types: Sequence[str], wanted: Sequence[str]) -> None:
        kinds = dict(zip(columns, types, strict=False))
        places = {name: place for place, name in enumerate(columns)}
        self._measurement = places.get("_measurement", -1)
        self._time = places.get("_time", -1)
        self._wanted = [(places.get(name), kinds.get(name, "")) for name in wanted]

    def __call__(self, cells: Sequence[str]) -> tuple[str, list[Any]]:
        """Raises ValueError."""
        if self._measurement < 0 or self._time < 0:
            raise ValueError("it has no measurement or no time")
        row: list[Any] = [time_ns(cells[self._time])]
        # Null and "" look the same; we never write "".
        row += [
            None
            if place is None or not (cell := cells[place])
            else cell
            if kind == "string"
            else _typed(cell, kind)
            for place, kind in self._wanted
        ]
        return cells[self._measurement], row


def join_blocks(scan: Scan, parts: Iterable[tuple[tuple[str, ...], Iterable[Block]]]) -> Iterator[Block]:
    """The rows of a scan, joined from scans of parts of its fields by time and tags."""
    tags = len(scan.tags)
    rows: dict[str, dict[tuple[Any, ...], list[Any]]] = {}
    for fields, blocks in parts:
        places = [1 + tags + scan.fields.index(field) for field in fields]
        for measurement, found in blocks:
            of_measurement = rows.setdefault(measurement, {})
            for row in found:
                head = tuple(row[: tags + 1])
                joined = of_measurement.get(head)
                if joined is None:
                    joined = of_measurement[head] = [*head, *(None for _ in scan.fields)]
                for place, value in zip(places, row[tags + 1 :], strict=True):
                    joined[place] = value
    for measurement, joined_rows in rows.items():
        yield Block(measurement, list(joined_rows.values()))


def time_ns(text: str) -> int:
    """Nanoseconds since 1970 of a time as Flux prints it: 2026-11-23T12:59:54.829685589Z. Raises ValueError."""
    date, _, clock = text.removesuffix("Z").partition("T")
    seconds, _, fraction = clock.partition(".")
    year, month, day = date.split("-")
    hour, minute, second = seconds.split(":")
    whole = calendar.timegm((int(year), int(month), int(day), int(hour), int(minute), int(second)))
    return whole * 1_000_000_000 + int((fraction + "000000000")[:9])


def _any_of(column: str, names: tuple[str, ...]) -> str:
    # Our own names of measurements and fields, which need no escaping.
    return " or ".join(f'r.{column} == "{name}"' for name in names)


def _check_width(where: str, cells: list[str], columns: list[str]) -> None:
    if len(cells) != len(columns):
        raise explain_cut(where, f"a row has {len(cells)} of {len(columns)} columns")


def _check_types(where: str, kinds: Mapping[str, str], scan: Scan) -> None:
    for name in scan.fields:
        wanted = _DATATYPES.get(COLUMN_TYPES.get(name, ""))
        found = kinds.get(name)
        if wanted and found and found != wanted:
            raise ReplicaRejected(
                REPLICA,
                f"Cannot read {where}: among {', '.join(scan.measurements)} are values of {name} of type {found}, "
                "which hide those of other points.",
                f"Another program wrote them. Delete the points whose {name} is not of type {COLUMN_TYPES[name]}.",
            )


def _with_defaults(cells: list[str], defaults: list[str]) -> list[str]:
    return (
        [cell or default for cell, default in zip(cells, defaults, strict=True)]
        if any(defaults[1:])
        else cells
    )


def _typed(cell: str, kind: str) -> Any:
    if kind == "boolean":
        return cell == "true"
    return int(cell) if kind == "long" else cell
