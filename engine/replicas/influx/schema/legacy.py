"""Reads the measurements that HomeIQ wrote (`devices`, `entities`), to show their faults. Never writes them.

They keep everything that can change in tags, so every change began a new series: a device that moved is in both
rooms, and a removed one stays forever, because there are no tombstones. Reading "the latest per series"
lists all of them as present.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Entity
from engine.replicas.influx.wires.wire import Scan, Wire


class LegacyRow(msgspec.Struct, frozen=True):
    """One series: its tags for a device or entity, and the time of its newest point."""

    measurement: str
    id: str  # a device's registry id, or an entity_id
    tags: dict[str, str]
    newest_at: float  # Unix seconds


class LegacyReport(msgspec.Struct, frozen=True):
    """The contents of the old measurements, each list sorted by id and time."""

    series: int = 0
    stale_duplicates: tuple[LegacyRow, ...] = ()  # older series of an item that has a newer one
    removed: tuple[LegacyRow, ...] = ()  # series of an item that Home Assistant no longer has


# The identifying tag, the tags that change, and a field that every point of the measurement has.
_MEASUREMENTS = {
    "devices": ("device_id", ("manufacturer", "model", "area_id"), ("name", "sw_version", "entity_count")),
    "entities": (
        "entity_id",
        ("device_id", "domain", "platform", "area_id"),
        ("unique_id", "disabled", "name"),
    ),
}


def find_legacy(wire: Wire, desired: Snapshot, *, start_ns: int = 0) -> LegacyReport:
    """Compare the old measurements with the home, from `start_ns` on. Raises ReplicaError."""
    known = {
        "devices": {key.id for key in desired.home.records if key.registry == "device"},
        "entities": {r.entity_id for r in desired.home.records.values() if isinstance(r, Entity)},
    }
    series = 0
    duplicates: list[LegacyRow] = []
    removed: list[LegacyRow] = []
    for measurement in _MEASUREMENTS:
        by_id = _series_by_id(wire, measurement, start_ns)
        series += sum(len(rows) for rows in by_id.values())
        for id_, rows in sorted(by_id.items()):
            if id_ in known[measurement]:
                duplicates += rows[:-1]
            else:
                removed += rows
    return LegacyReport(series, tuple(duplicates), tuple(removed))


def _series_by_id(wire: Wire, measurement: str, start_ns: int) -> Mapping[str, list[LegacyRow]]:
    """The series of each id, the one with the newest point last."""
    identity, mutable, fields = _MEASUREMENTS[measurement]
    newest: dict[tuple[str, ...], int] = {}
    # One field at a time: on wire v2 columns of different types cannot share a table.
    for field in fields:
        scan = Scan(
            measurements=(measurement,), tags=(identity, *mutable), fields=(field,), start_ns=start_ns
        )
        for _, rows in wire.scan(scan):
            _note(newest, rows)
    by_id: dict[str, list[LegacyRow]] = {}
    for (id_, *values), time_ns in sorted(newest.items(), key=lambda item: (item[1], item[0])):
        tags = {name: value for name, value in zip(mutable, values, strict=True) if value}
        by_id.setdefault(id_, []).append(LegacyRow(measurement, id_, tags, time_ns / 1e9))
    return by_id


def _note(newest: dict[tuple[str, ...], int], rows: Iterable[list[Any]]) -> None:
    for time_ns, id_, *rest in rows:
        if id_:
            series = (id_, *(value or "" for value in rest[:-1]))
            newest[series] = max(newest.get(series, 0), time_ns)
