"""InfluxQL: the statement of a scan, its identifiers, and the durations in its answers."""

from typing import Any

from engine.replicas.influx.schema.points import COLUMN_TYPES
from engine.replicas.influx.wires.wire import Scan

_DURATION_MAX = 40
_UNITS = {"h": 3600, "m": 60, "s": 1}


def select_text(scan: Scan) -> tuple[str, dict[str, Any]]:
    """The InfluxQL statement of a scan and its parameters. Identifiers are quoted, values are bound."""
    # Casts, because otherwise a single value of another type hides all others of its field.
    columns = [f"{identifier(tag)}::tag" for tag in scan.tags]
    columns += [_cast(field) for field in scan.fields]
    sources = ", ".join(map(identifier, scan.measurements))
    params: dict[str, Any] = {}
    conditions = [f"time >= {scan.start_ns}"]
    if scan.stop_ns is not None:
        conditions.append(f"time < {scan.stop_ns}")
    if scan.site is not None:
        params["site"] = scan.site
        conditions.append('"site" = $site')
    if scan.equals is not None:
        params["equals"] = scan.equals
        conditions.append(f"{identifier(scan.fields[0])} = $equals")
    if scan.ids:
        # Not a regular expression, whose cost grows with all ids of the database.
        params |= {f"id{n}": id_ for n, id_ in enumerate(scan.ids)}
        conditions.append("(" + " OR ".join(f'"id" = $id{n}' for n in range(len(scan.ids))) + ")")
    text = f"SELECT {', '.join(columns)} FROM {sources} WHERE {' AND '.join(conditions)}"  # noqa: S608 (see above)
    if scan.newest_max is not None:
        text += f" ORDER BY time DESC LIMIT {scan.newest_max}"
    return text, params


def _cast(field: str) -> str:
    # Other programs' fields may have any type.
    return f"{identifier(field)}::{COLUMN_TYPES[field]}" if field in COLUMN_TYPES else identifier(field)


def identifier(name: str) -> str:
    """A name, quoted for InfluxQL."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def seconds_of(duration: str) -> int | None:
    """The seconds of a duration as 1.x prints it, such as 168h0m0s; None for another text."""
    total, digits = 0, ""
    for character in duration[:_DURATION_MAX]:
        if character in "0123456789":
            digits += character
        elif character in _UNITS and digits:
            total, digits = total + int(digits) * _UNITS[character], ""
        else:
            return None
    return None if digits or not duration else total
