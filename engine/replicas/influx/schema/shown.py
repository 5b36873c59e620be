"""Display fields beside the payload for people's queries, and a measurement with the number of records.

InfluxQL cannot query a payload, and groups by tags only. So every point repeats the most queried values as strings,
`-` for none, and every writing run counts the home's records by registry and area. The counts have a series per registry,
and per area for registries with areas: their number does not grow with the records.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from engine.core.compare.plan import Operation
from engine.core.compare.stored import LABEL_FIELDS
from engine.core.home.derived import Derived, affected_keys
from engine.core.home.home import Home
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Device, Entity, Key, Record
from engine.replicas.influx.schema.points import COUNT_MEASUREMENT, NONE, SHOWN_FIELDS, field_text, tag_text

_WITH_AREA = ("device", "entity")
# Fields that a device's entities and parts inherit.
_PASSED_ON = {"area_id", "name", "name_by_user", "parent_device_id"}


def shown_values(record: Record | None, derived: Derived | None) -> tuple[str, ...]:
    """The values of SHOWN_FIELDS; name and area as Home Assistant shows and inherits them."""
    shown = {field: getattr(record, field, None) for field in SHOWN_FIELDS}
    shown["name"] = next((name for field in LABEL_FIELDS if (name := getattr(record, field, None))), None)
    if isinstance(record, Device | Entity):
        shown["area"] = record.area_id
    if derived is not None:
        shown |= {"name": derived.effective_name or shown["name"], "area": derived.effective_area_id}
    return tuple(str(shown[field] or NONE) for field in SHOWN_FIELDS)


def inheriting_keys(operations: Iterable[Operation], home: Home) -> set[Key]:
    """The records that now show another name or area although they did not change: a device's entities and parts."""
    moved = [
        operation.key
        for operation in operations
        if isinstance(operation.after, Device) and _PASSED_ON & {change.name for change in operation.fields}
    ]
    return affected_keys(home.records, home.records, moved) - set(moved) if moved else set()


def count_lines(site: str, read: Snapshot, gone_areas: Iterable[str], time_ns: int) -> Iterator[bytes]:
    """One line per registry, and for devices and entities per area; an area that is gone, or empty, counts none.

    Where areas are not mirrored, devices and entities are not counted.
    """
    home = read.home
    areas = {key.id: record for key, record in home.records.items() if isinstance(record, Area)}
    counts: Counter[tuple[str, str]] = Counter()
    with_area = _WITH_AREA if "area" in read.reading.registries else ()
    for registry in read.reading.registries - (set(_WITH_AREA) - set(with_area)):
        for area in ("", *areas, *gone_areas) if registry in with_area else ("",):
            counts[registry, area] = 0
    for key in home.records:
        if (key.registry, "") not in counts:
            continue
        derived = home.derived.get(key) if key.registry in _WITH_AREA else None
        place = derived.effective_area_id if derived is not None else None
        # An area that the home does not have counts as none, so that the number of series stays bounded.
        counts[key.registry, place if place is not None and place in areas else ""] += 1
    for (registry, area), number in sorted(counts.items()):
        named = areas.get(area)
        name = field_text(NONE if named is None else named.name)
        tags = f"site={site},registry={registry},area={tag_text(area) if area else NONE}"
        yield f"{COUNT_MEASUREMENT},{tags} n={number}i,area_name={name} {time_ns}".encode()
