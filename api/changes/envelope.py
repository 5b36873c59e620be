"""One change as served, in Debezium's form."""

from typing import Any

import msgspec

from api.ports import Row
from api.registries.bodies.devices_and_entities import served_fields


class ChangeSource(msgspec.Struct, frozen=True):
    """Where a change came from. `ts_ms` is when Home Assistant was read, `revision` the change's own number."""

    name: str
    version: str | None
    snapshot: bool
    ts_ms: int
    revision: int


class Change(msgspec.Struct, frozen=True):
    """One change: op c, u or d. An update shows the fields that differ, a create or delete all of them.

    `cause`: pending (Home Assistant changed), drift or conflict (someone else changed the row), foreign.
    """

    seq: int
    op: str
    registry: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ts_ms: int
    source: ChangeSource
    cause: str
    run_id: str


def change_of_row(row: Row) -> Change:
    """The change in a row of the feed."""
    seq, op, registry, id_, before, after, changed_at, cause, run_id, version = row
    ts_ms = round(changed_at * 1000)
    source = ChangeSource("homeassistant", version, False, ts_ms, seq)
    return Change(seq, op, registry, id_, _fields(before), _fields(after), ts_ms, source, cause, run_id)


def _fields(text: str | None) -> dict[str, Any] | None:
    fields: dict[str, Any] | None = None if text is None else served_fields(msgspec.json.decode(text))
    return fields
