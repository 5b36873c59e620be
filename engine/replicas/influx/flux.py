"""The Flux texts of wire v2, and what its annotated CSV says.

Values are parameters, never part of a text: in Flux a string literal evaluates `${...}`. `range` always has a
stop, because its default, now, hides points that another clock dated later.

A scan sees values of one type per field: that of the oldest shard in its window that knows the field. So a foreign
value of another type hides ours in younger shards, without an error (2.7.11, seen 2026-11-23). An answer with such a
value is refused. One of another site is not in the answer: then a plain look misses records, which are written again,
and a verifying look finds them altered.
"""

import calendar
import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.errors import ReplicaRejected
from engine.replicas.influx.failures import explain_cut, explain_statement
from engine.replicas.influx.points import FIELD_TYPES, REPLICA
from engine.replicas.influx.wire import Block, Scan

# 2100-01-01: later points are a mistake that only wire v1 sees.
STOP_NS_MAX = 4_102_444_800_000_000_000

_ROWS_PER_BLOCK = 5_000
_ANNOTATIONS = ("#datatype", "#group", "#default")
_DATATYPES = {"string": "string", "integer": "long", "boolean": "boolean"}


def flux_text(scan: Scan) -> str:
    """The Flux of a scan; its free names are the keys of `flux_params`."""
    steps = [
        "from(bucket: bucket)",
        "range(start: time(v: start), stop: time(v: stop))",
        f"filter(fn: (r) => {_any_of('_measurement', scan.measurements)})",
    ]
    if scan.site is not None:
        steps.append("filter(fn: (r) => r.site == site)")
    if scan.ids:
        steps.append(f"filter(fn: (r) => {' or '.join(f'r.id == id{n}' for n in range(len(scan.ids)))})")
    steps.append(f"filter(fn: (r) => {_any_of('_field', scan.fields)})")
    kept = ["_measurement", "_time", *scan.tags]
    if len(scan.fields) == 1:
        steps.append(f'rename(columns: {{_value: "{scan.fields[0]}"}})')
    else:
        # Every point has every field, so a row per time is a point.
        steps.append('pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")')
    columns = ", ".join(f'"{name}"' for name in (*kept, *scan.fields))
    steps += [f"keep(columns: [{columns}])", "group()"]
    if scan.newest_max is not None:
        steps += ['sort(columns: ["_time"], desc: true)', f"limit(n: {scan.newest_max})"]
    return "\n  |> ".join(steps)


def flux_params(bucket: str, scan: Scan) -> dict[str, Any]:
    """The values of the free names of `flux_text`."""
    stop_ns = STOP_NS_MAX if scan.stop_ns is None else min(scan.stop_ns, STOP_NS_MAX)
    params: dict[str, Any] = {"bucket": bucket, "start": max(scan.start_ns, 0), "stop": max(stop_ns, 1)}
    if scan.site is not None:
        params["site"] = scan.site
    return params | {f"id{n}": id_ for n, id_ in enumerate(scan.ids)}


def read_blocks(where: str, text: Iterable[str], scan: Scan) -> Iterator[Block]:
    """The rows in annotated CSV. Raises ReplicaError on an error table, on values of another type, on what is no such CSV."""
    columns: list[str] = []
    defaults: list[str] = []
    types: list[str] = []
    rows: dict[str, list[list[Any]]] = {}
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
        else:
            _check_width(where, cells, columns)
            values = dict(zip(columns, _with_defaults(cells, defaults), strict=True))
            if "error" in values:
                raise explain_statement(where, values["error"])
            kinds = dict(zip(columns, types, strict=False))
            measurement = values["_measurement"]
            if measurement not in scan.measurements:
                raise explain_cut(where, f"it has rows of {measurement[:80]!r}, which were not asked for")
            collected = rows.setdefault(measurement, [])
            collected.append(
                [time_ns(values["_time"]), *(_typed(values.get(c), kinds.get(c, "")) for c in scan.columns)]
            )
            if len(collected) >= _ROWS_PER_BLOCK:
                yield Block(measurement, rows.pop(measurement))
    for measurement, collected in rows.items():
        yield Block(measurement, collected)


def time_ns(text: str) -> int:
    """Nanoseconds since 1970 of a time as Flux prints it: 2026-11-23T12:59:54.829685589Z. Raises ValueError."""
    date, _, clock = text.removesuffix("Z").partition("T")
    seconds, _, fraction = clock.partition(".")
    year, month, day = date.split("-")
    hour, minute, second = seconds.split(":")
    whole = calendar.timegm((int(year), int(month), int(day), int(hour), int(minute), int(second)))
    return whole * 1_000_000_000 + int((fraction + "000000000")[:9])


def _any_of(column: str, names: tuple[str, ...]) -> str:
    # Our own names: measurements and fields, without anything to escape.
    return " or ".join(f'r.{column} == "{name}"' for name in names)


def _check_width(where: str, cells: list[str], columns: list[str]) -> None:
    if len(cells) != len(columns):
        raise explain_cut(where, f"a row has {len(cells)} of {len(columns)} columns")


def _check_types(where: str, kinds: Mapping[str, str], scan: Scan) -> None:
    for name in scan.fields:
        wanted = _DATATYPES.get(FIELD_TYPES.get(name, ""))
        found = kinds.get(name)
        if wanted and found and found != wanted:
            raise ReplicaRejected(
                REPLICA,
                f"Cannot read {where}: among {', '.join(scan.measurements)} are values of {name} of type {found}, "
                "which hide those of other points.",
                f"Another program wrote them. Delete the points whose {name} is no {FIELD_TYPES[name]}.",
            )


def _with_defaults(cells: list[str], defaults: list[str]) -> list[str]:
    return (
        [cell or default for cell, default in zip(cells, defaults, strict=False)]
        if any(defaults[1:])
        else cells
    )


def _typed(cell: str | None, kind: str) -> Any:
    if not cell:
        # Null and "" look the same; what we write is never "".
        return None
    if kind == "boolean":
        return cell == "true"
    return int(cell) if kind == "long" else cell
