"""A few hand-made records and snapshots that many tests start from."""

from collections.abc import Iterable, Mapping

from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import ConfigEntry, Device, Entity, Key, Record
from engine.core.records.registries import REGISTRIES

NOON = 1_795_435_200.0  # 2026-11-23 12:00:00 UTC
RUNNING = SourceHealth(ha_version="2026.11.0", state="RUNNING", recovery_mode=False)
ENTRY = ConfigEntry(entry_id="entry", domain="demo", title="Demo")


def device(number: int, **fields: object) -> Device:
    given = {"id": f"d{number:031x}", "name": f"Device {number}", "config_entry_id": "entry", **fields}
    return Device(**given)  # type: ignore[arg-type]  # tests give fields by name


def entity(number: int, **fields: object) -> Entity:
    given = {
        "id": f"e{number:031x}",
        "entity_id": f"sensor.s{number}",
        "unique_id": f"u{number}",
        "platform": "demo",
        **fields,
    }
    return Entity(**given)  # type: ignore[arg-type]  # tests give fields by name


def snapshot(
    *records: Record,
    at: float = NOON,
    health: SourceHealth = RUNNING,
    removed: Iterable[Key] = (),
    splits: Mapping[str, tuple[str, ...]] | None = None,
    registries: Iterable[str] = REGISTRIES,
    positions: Mapping[Key, int] | None = None,
) -> Snapshot:
    return make_snapshot(
        records=records,
        taken_at=at,
        origin="test",
        registries=frozenset(registries),
        health=health,
        removed=frozenset(removed),
        splits=splits,
        positions=positions,
    )
