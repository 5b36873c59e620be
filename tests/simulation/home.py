"""One Home Assistant's registries, and what people and integrations do to them.

Every change sends the events that Home Assistant would send: they name what changed, but not the new values.
Ids are counted, so that a seed makes the same home everywhere.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from engine.core.records.content_hash import content_hash
from engine.core.records.record import (
    Area,
    Category,
    ConfigEntry,
    Device,
    Entity,
    Floor,
    Key,
    Label,
    Record,
)

# Called with every event: its type, its data, the key it is about.
Emit = Callable[[str, dict[str, Any], Key], None]

OLD, NEW = "2024.3.3", "2026.11.0"
_SCOPE = "automation"


class Home:
    """The registries of one instance. `emit` receives events, `note` the keys that differ now."""

    def __init__(self, name: str, version: str, emit: Emit, note: Callable[[Key, str | None], None]) -> None:
        self.name = name
        self.version = version
        self.records: dict[Key, Record] = {}
        self.hashes: dict[Key, str] = {}
        self.splits: dict[str, tuple[str, ...]] = {}
        self.grave: dict[Key, Record] = {}
        self._emit = emit
        self._note = note
        self._count = 0

    # What there is

    def of(self, registry: str) -> list[Any]:
        """The records of one registry, in the order of their keys."""
        return [self.records[key] for key in sorted(self.records) if key.registry == registry]

    def fill(self, random: Random) -> None:
        """A small home: everything there is to refer to, and something that refers to it."""
        self._create(Floor(floor_id="ground", name="Ground"))
        for area_id in ("kitchen", "attic"):
            self._create(Area(area_id=area_id, name=area_id.title(), floor_id="ground"))
        self._create(Label(label_id="lamp", name="Lamp"))
        if self.version != OLD:
            self._create(Category(category_id="night", scope=_SCOPE, name="Night"))
        for _ in range(2):
            self.add_entry(random)
        if random.random() < 0.5:
            owners = tuple(entry.entry_id for entry in self.of("config_entry")[:2])
            if self.version == OLD:
                self._create(self._device(None, config_entries=owners))
        self.grave.clear()

    # What happens to one record

    def _create(self, record: Record) -> None:
        action = "update" if record.key in self.records else "create"
        self._put(record)
        self._announce(action, record)

    def _put(self, record: Record) -> None:
        key = record.key
        # Moved by every change, as Home Assistant does; what it is does not matter.
        self._count += 1
        self.records[key] = msgspec.structs.replace(record, modified_at=1_700_000_000.0 + self._count)
        self.hashes[key] = content_hash(record)
        self._note(key, self.hashes[key])

    def _update(self, record: Record, **fields: object) -> Any:
        changed = msgspec.structs.replace(record, **fields)
        self._put(changed)
        old = getattr(record, "entity_id", None)
        new = getattr(changed, "entity_id", None)
        self._announce("update", changed, **({"old_entity_id": old} if old != new else {}))
        return changed

    def _remove(self, record: Record) -> None:
        key = record.key
        self.grave[key] = self.records.pop(key)
        del self.hashes[key]
        self._note(key, None)
        self._announce("remove", record)

    def _announce(self, action: str, record: Record, **more: object) -> None:
        data: dict[str, Any] = {"action": action, **more}
        match record:
            case ConfigEntry():
                kind = {"create": "added", "remove": "removed", "update": "updated"}[action]
                self._emit(
                    "config_entries", {"type": kind, "entry": {"entry_id": record.entry_id}}, record.key
                )
                return
            case Entity():
                data["entity_id"] = record.entity_id
            case Category():
                data |= {"scope": record.scope, "category_id": record.category_id}
            case _:
                data[f"{record.REGISTRY}_id"] = record.id_value
        self._emit(f"{record.REGISTRY}_registry_updated", data, record.key)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _device(self, entry_id: str | None, **fields: Any) -> Device:
        number = self._next()
        owners = {"config_entry_id": entry_id, "config_entries": (entry_id,)} if entry_id else {}
        named = {"id": f"{self.name}d{number:029x}", "name": f"Device {number}"}
        return Device(**{**named, **owners, **fields})

    def _entity(self, device: Device | None, **fields: Any) -> Entity:
        number = self._next()
        given: dict[str, Any] = {
            "id": f"{self.name}e{number:029x}",
            "entity_id": f"sensor.s{number}",
            "unique_id": f"u{number}",
            "platform": "demo",
            "device_id": device.id if device else None,
            "config_entry_id": device.config_entry_id if device else None,
        }
        return Entity(**{**given, **fields})

    # What people and integrations do

    def add_entry(self, random: Random) -> None:
        """An integration is set up: an entry with devices and entities."""
        number = self._next()
        entry = ConfigEntry(entry_id=f"{self.name}entry{number}", domain="demo", title=f"Demo {number}")
        self._create(entry)
        for _ in range(random.randint(1, 2)):
            self._add_device(entry, random)

    def _add_device(self, entry: ConfigEntry, random: Random) -> None:
        area_id = random.choice([None, "kitchen", "attic"])
        device = self._device(entry.entry_id, area_id=area_id)
        self._create(device)
        for _ in range(random.randint(1, 2)):
            self._create(self._entity(device))

    def add_device(self, random: Random) -> None:
        """A device with its entities appears."""
        entries = self.of("config_entry")
        if entries:
            self._add_device(random.choice(entries), random)

    def add_child(self, random: Random) -> None:
        """A child device (2026.9): it inherits what it does not say."""
        parents = [d for d in self.of("device") if d.parent_device_id is None and d.config_entry_id]
        if parents and self.version != OLD:
            parent = random.choice(parents)
            child = self._device(parent.config_entry_id, parent_device_id=parent.id)
            self._create(child)
            self._create(self._entity(child))

    def edit_device(self, random: Random) -> None:
        """A device is renamed, or moved to another area."""
        if devices := self.of("device"):
            device = random.choice(devices)
            if random.random() < 0.5:
                self._update(device, name_by_user=f"Mine {self._next()}")
            else:
                self._update(device, area_id=random.choice([None, "kitchen", "attic"]))

    def edit_entity(self, random: Random) -> None:
        """An entity is changed, in a field that every list shows or in one that only extended rows have."""
        if entities := self.of("entity"):
            entity = random.choice(entities)
            if random.random() < 0.5:
                self._update(entity, name=f"Name {self._next()}")
            else:
                self._update(entity, aliases=(None, f"alias {self._next()}"))

    def rename_entity(self, random: Random) -> None:
        """An entity gets another entity_id."""
        if entities := self.of("entity"):
            self._update(random.choice(entities), entity_id=f"sensor.r{self._next()}")

    def swap_entities(self, random: Random) -> None:
        """Two entities swap their entity_ids, over a third one, as Home Assistant makes one do it."""
        entities = self.of("entity")
        if len(entities) >= 2:
            one, two = random.sample(entities, 2)
            moved = self._update(one, entity_id=f"sensor.t{self._next()}")
            self._update(two, entity_id=one.entity_id)
            self._update(moved, entity_id=two.entity_id)

    def remove_entity(self, random: Random) -> None:
        """An entity is removed."""
        if entities := self.of("entity"):
            self._remove(random.choice(entities))

    def rename_and_remove(self, random: Random) -> None:
        """An entity is renamed and removed at once: the events of both name only the new entity_id last."""
        if entities := self.of("entity"):
            self._remove(self._update(random.choice(entities), entity_id=f"sensor.r{self._next()}"))

    def take_over(self, random: Random) -> None:
        """An entity is removed, and another one is given its entity_id."""
        if entities := self.of("entity"):
            gone = random.choice(entities)
            self._remove(gone)
            others = self.of("entity")
            if others and random.random() < 0.5:
                self._update(random.choice(others), entity_id=gone.entity_id)
            else:
                self._create(self._entity(None, entity_id=gone.entity_id))

    def remove_device(self, random: Random) -> None:
        """A device is removed with its entities; the order of their events depends on the version."""
        if devices := self.of("device"):
            self._remove_device(random.choice(devices), entities_first=random.random() < 0.5)

    def _remove_device(self, device: Device, *, entities_first: bool) -> None:
        entities = [e for e in self.of("entity") if e.device_id == device.id]
        for child in [d for d in self.of("device") if d.parent_device_id == device.id]:
            self._remove_device(child, entities_first=entities_first)
        for record in [*entities, device] if entities_first else [device, *entities]:
            self._remove(record)

    def remove_entry(self, random: Random) -> None:
        """An integration is removed, and everything it brought; never the last one."""
        entries = self.of("config_entry")
        if len(entries) > 1:
            entry = random.choice(entries)
            for device in self.of("device"):
                if device.config_entry_id == entry.entry_id and device.key in self.records:
                    self._remove_device(device, entities_first=True)
            self._remove(entry)

    def bring_back(self, random: Random) -> None:
        """What was removed returns within 30 days, with the ids it had."""
        gone = [key for key in sorted(self.grave) if key.registry in ("device", "entity")]
        if gone:
            record = self.grave.pop(random.choice(gone))
            taken = {e.entity_id for e in self.of("entity")}
            if isinstance(record, Entity) and record.entity_id in taken:
                record = msgspec.structs.replace(record, entity_id=f"sensor.b{self._next()}")
            self._create(record)

    def edit_place(self, random: Random) -> None:
        """An area, floor, label or category is renamed, added or removed."""
        registry = random.choice(["area", "floor", "label", "category"])
        number, found = self._next(), self.of(registry)
        if found and random.random() < 0.5:
            self._update(random.choice(found), name=f"Place {number}")
        elif found and random.random() < 0.3:
            self._remove(random.choice(found))
        else:
            made: dict[str, Record] = {
                "area": Area(area_id=f"area_{number}", name=f"Area {number}"),
                "floor": Floor(floor_id=f"floor_{number}", name=f"Floor {number}"),
                "label": Label(label_id=f"label_{number}", name=f"Label {number}"),
                "category": Category(category_id=f"c{number}", scope=_SCOPE, name=f"Category {number}"),
            }
            if registry != "category" or self.version != OLD:
                self._create(made[registry])

    def change_everything(self, _random: Random) -> None:
        """All entities change in one instant, as when an integration is reloaded."""
        for entity in self.of("entity"):
            self._update(entity, name=f"Name {self._next()}")

    # What happens while it is down

    def upgrade(self) -> None:
        """To 2026.11: a device that was shared by several config entries is replaced by one for each."""
        if self.version != OLD:
            return
        self.version = NEW
        for device in self.of("device"):
            if len(device.config_entries) > 1:
                self._split(device)

    def _split(self, device: Device) -> None:
        parts = [self._device(entry, name=device.name) for entry in device.config_entries]
        self.splits[device.id] = tuple(part.id for part in parts)
        for part in parts:
            self._put(part)
        for entity in self.of("entity"):
            if entity.device_id == device.id:
                self._put(msgspec.structs.replace(entity, device_id=parts[0].id))
        self._forget(device)

    def lose_devices(self) -> None:
        """The device store was corrupt: all devices have new ids, and nothing that people had set."""
        devices = self.of("device")
        renewed = {device.id: self._device(None).id for device in devices}
        for device in devices:
            self._put(
                msgspec.structs.replace(
                    device,
                    id=renewed[device.id],
                    parent_device_id=renewed.get(device.parent_device_id),
                    name_by_user=None,
                    area_id=None,
                )
            )
            self._forget(device)
        for entity in self.of("entity"):
            if entity.device_id in renewed:
                self._put(msgspec.structs.replace(entity, device_id=renewed[entity.device_id]))

    def _forget(self, record: Record) -> None:
        self.records.pop(record.key)
        del self.hashes[record.key]
        self._note(record.key, None)

    def restore(self, records: dict[Key, Record]) -> None:
        """A backup is put back."""
        self.records = dict(records)
        self.hashes = {key: content_hash(record) for key, record in records.items()}


ACTIONS = (
    "add_child",
    "add_device",
    "add_entry",
    "bring_back",
    "change_everything",
    "edit_device",
    "edit_entity",
    "edit_place",
    "edit_place",
    "remove_device",
    "remove_entity",
    "remove_entry",
    "rename_and_remove",
    "rename_entity",
    "swap_entities",
    "take_over",
)
