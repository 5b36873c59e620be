"""A measurement of each run's changes, field by field, for Grafana's annotations and for people.

This program never reads it. It has one series per registry, however much changes.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from engine.core.compare.plan import Action, Operation
from engine.core.records.record import Json
from engine.replicas.influx.schema.points import CHANGE_MEASUREMENT, NONE, field_text

_VALUE_LENGTH_MAX = 500


def change_lines(
    site: str, run_id: str, operations: Iterable[Operation], next_ns: Callable[[], int]
) -> Iterator[bytes]:
    """One line per changed field, or one for a created or deleted record; each has a distinct time."""
    for operation in operations:
        for op, field, before, after in _changes(operation):
            what = f"{operation.label}: " + (op if field == NONE else f"{field} {before} → {after}")
            values = {
                "record": operation.key.id,
                "name": operation.label,
                "entity_id": operation.entity_id or NONE,
                "op": op,
                "field": field,
                "before": before,
                "after": after,
                "cause": str(operation.difference.cause),
                "run": run_id,
                "text": what,
            }
            fields = ",".join(f"{name}={field_text(value or NONE)}" for name, value in values.items())
            head = f"{CHANGE_MEASUREMENT},site={site},registry={operation.key.registry}"
            yield f"{head} {fields} {next_ns()}".encode()


def _changes(operation: Operation) -> Iterator[tuple[str, str, str, str]]:
    """(op, field, before, after) of each line."""
    if operation.after is None:
        yield "delete", NONE, NONE, NONE
        return
    if operation.moved_from is not None:
        yield "move", "id", operation.moved_from.id, operation.key.id
    elif operation.difference.observed is None:
        yield "create", NONE, NONE, NONE
    op = "move" if operation.action is Action.MOVE else "update"
    for change in operation.fields:
        yield op, change.name, _text(change.replica), _text(change.source)


def _text(value: Json) -> str:
    if value is None:
        return NONE
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _VALUE_LENGTH_MAX else f"{text[:_VALUE_LENGTH_MAX]}..."
