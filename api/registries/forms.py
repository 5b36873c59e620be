"""The formats of a list: pages of JSON, with all or some fields, or the same rows as CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from starlette.requests import Request

from api.http.problems import Problem

CSV = "text/csv; charset=utf-8"


def wants_csv(request: Request, query: Any) -> bool:
    """Whether the client wants CSV: from `format`, else from the Accept header."""
    if query.format is not UNSET:
        return bool(query.format == "csv")
    return request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip() == "text/csv"


def chosen_fields(body: type[msgspec.Struct], query: Any) -> tuple[str, ...]:
    """The requested fields; all if none are named. Raises Problem 400 for an unknown one."""
    known = body.__struct_fields__
    if query.fields is UNSET:
        return known
    asked = tuple(dict.fromkeys(name.strip() for name in query.fields.split(",") if name.strip()))
    _check_known(asked, known, "fields")
    return asked


def sort_column(columns: dict[str, str], query: Any) -> str:
    """The column to sort by, with a leading - for descending order; "" for the order of keys."""
    if query.sort is UNSET:
        return ""
    check_sortable(query.sort, tuple(columns))
    name = query.sort.removeprefix("-")
    return f"{'-' * query.sort.startswith('-')}{columns[name]}"


def check_sortable(sort: str, known: Sequence[str]) -> None:
    """Raises Problem 400 when rows cannot be sorted so, forwards or backwards."""
    _check_known((sort.removeprefix("-"),), known, "sort")


def _check_known(asked: Sequence[str], known: Sequence[str], parameter: str) -> None:
    unknown = [name[:64] for name in asked if name not in known]
    if unknown or not asked:
        raise Problem(
            400,
            f"Query parameter refused: {', '.join(unknown) or 'nothing'} is not a field - at `{parameter}`."
            f" Known here: {', '.join(known)}.",
        )


def as_chosen(rows: Sequence[msgspec.Struct], fields: Sequence[str]) -> list[dict[str, Any]]:
    """The rows, reduced to these fields."""
    return [{name: getattr(row, name) for name in fields} for row in rows]


def as_csv(rows: Sequence[msgspec.Struct], fields: Sequence[str]) -> bytes:
    """The rows as RFC 4180: a list with semicolons between its elements, a verdict as its state, objects as JSON."""
    text = io.StringIO()
    # Everything is quoted, because some spreadsheets also split at semicolons and tabs, and a part may look like a formula.
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(fields)
    writer.writerows([_cell(name, getattr(row, name)) for name in fields] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if name == "sync":
        value = value.state
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ";".join(value)
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    text = str(value)
    # A spreadsheet would take it for a formula: names come from any device on the network.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not isinstance(value, int) else text
