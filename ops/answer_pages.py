"""The reference pages of what the program answers with, made from the schemas: reports, and the change feed."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import msgspec

from api.app import ROUTES
from api.http.openapi import make_document
from engine.core.state.report import Report
from engine.core.times import instant_schema
from ops.answer_dictionary import CHANGE, REPORT, STREAM
from ops.markdown import page, table


def report_page() -> str:
    """The document that `--json` prints."""
    _, components = msgspec.json.schema_components([Report], schema_hook=instant_schema)
    kinds = [
        (f"`{name}`", kind_of(component))
        for name, component in sorted(components.items())
        if "properties" not in component
    ]
    return page(
        "Report",
        "`reconcile --json`, `reconcile drift --json` and `/api/drift` answer with a `Report`. Times are RFC 3339 in UTC,\n"
        "durations seconds. A new `schema_version` means that a field changed its meaning or went away.",
        *_structures(components, REPORT),
        "## Values",
        table(("type", "values"), kinds),
    )


def events_page() -> str:
    """The change feed, and the events of its stream."""
    components = msgspec.json.decode(make_document(ROUTES))["components"]["schemas"]
    rows = [(f"`{event}`", data, text) for event, data, text in STREAM]
    return page(
        "Events",
        "Every change of a row of the SQLite file is one entry of the change feed, numbered without a gap, in the form that\n"
        "Debezium made known. `/api/changes` answers with pages of it, `/api/changes/stream` with server-sent events. The feed\n"
        "holds the newest `rows.changes_max`.",
        "## The stream",
        table(("event", "data", "meaning"), rows),
        *_structures(components, CHANGE),
    )


def _structures(components: dict[str, Any], meanings: dict[str, dict[str, str]]) -> Iterator[str]:
    """Each structure with the type and the meaning of its fields."""
    for name, fields in meanings.items():
        schemas = components[name]["properties"]
        rows = [(f"`{field}`", kind_of(schemas[field]), text) for field, text in fields.items()]
        yield f"## {name}"
        yield cleandoc(components[name].get("description", ""))
        yield table(("field", "type", "meaning"), rows)


def kind_of(schema: dict[str, Any]) -> str:
    """A schema's type in words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        inner = schema.get("items") or {}
        return f"list of {kind_of(inner)}" if inner else "list"
    return str(kind)
