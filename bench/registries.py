"""Seeded registries of any size, as Home Assistant 2026.11 answers for them, and the same as snapshots.

A device has 8 to 10 entities. Rows have the keys of a real 2026.11.0 and are about as long: 665 bytes in the
entity list, 840 in get_entries, 785 in the device list (measured there with 20,000 entities, 2026-11-23).
One seed and size give the same bytes every time. A home with a share changed is the same home a little later:
of the entities that differ, every 20th is another one (deleted and added), all others were renamed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from engine.core.home.list_order import positions_of
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import Key, Record
from engine.core.records.registries import REGISTRIES
from engine.sources.answers.category_scopes import CategoryScopes
from engine.sources.answers.command_results import (
    CATEGORY_LIST,
    COMPOSITE_SPLITS,
    ENTITY_ENTRIES,
    ENTITY_LIST,
    GET_CONFIG,
    LIST_ISSUES,
    LISTS,
)
from engine.sources.answers.registry_rows import entity_record, row_record

SIZES = (164, 1_300, 14_000, 20_000, 41_000, 200_000)
SEED = 2026_11
READ_AT = 1_795_435_200.0  # Unix seconds
VERSION = "2026.11.0"

_ENTRIES, _AREAS, _FLOORS, _LABELS = 20, 24, 3, 12
_REPLACED_EVERY = 20
_DOMAINS = (
    ("sensor",) * 9 + ("binary_sensor",) * 4 + ("switch", "switch", "light", "button", "number", "update")
)
_NOUNS = ("Temperature", "Humidity", "Battery", "Signal strength", "Power", "Energy", "Motion", "Firmware")
_ROOMS = ("Kitchen", "Bathroom", "Living room", "Bedroom", "Küche oben", "Garage", "Office", "Hallway")
# Only the extended rows have these.
_EXTENDED = ("aliases", "capabilities", "device_class", "original_device_class", "original_icon")

Row = dict[str, Any]


class Home(msgspec.Struct, frozen=True):
    """One home as the bytes that Home Assistant answers with.

    Nothing but bytes, so that holding it gives the garbage collector nothing to walk during a measurement.
    """

    answers: Mapping[str, bytes]  # by command, those without arguments
    extended: Mapping[str, bytes]  # extended entity rows by entity_id

    def entries(self, entity_ids: Sequence[str]) -> bytes:
        """The answer to get_entries."""
        rows = (b"%b:%b" % (msgspec.json.encode(id_), self.extended[id_]) for id_ in entity_ids)
        return b"{%b}" % b",".join(rows)

    @property
    def list_bytes(self) -> int:
        """The bytes that every full read is answered with."""
        return sum(map(len, self.answers.values()))


def make_home(entities: int, *, changed: float = 0.0, seed: int = SEED) -> Home:
    """A home with that many entities. `changed` is the share of them that differs from `changed=0`."""
    random = Random(seed)  # noqa: S311 (a benchmark's input, no secret)
    rows: list[Row] = []
    devices: list[Row] = []
    left = 0
    for number in range(entities):
        if left == 0:
            devices.append(_device(random, len(devices)))
            left = random.randint(8, 10)
        left -= 1
        rows.append(_entity(random, number, devices[-1]))
    if changed:
        _change(rows, round(entities * changed), may_replace=changed < 1)
    lists = {
        "device": devices,
        "area": [_named("area", number, floor_id=f"floor_{number % _FLOORS}") for number in range(_AREAS)],
        "floor": [_named("floor", number, level=number) for number in range(_FLOORS)],
        "label": [_named("label", number, color="#ffcc00") for number in range(_LABELS)],
        "config_entry": [_config_entry(number) for number in range(_ENTRIES)],
    }
    encode = msgspec.json.encode
    short = [{name: value for name, value in row.items() if name not in _EXTENDED} for row in rows]
    answers = {LISTS[registry]: encode(listed) for registry, listed in lists.items()}
    answers |= {
        ENTITY_LIST: encode(short),
        CATEGORY_LIST: b"[]",
        COMPOSITE_SPLITS: b"{}",
        LIST_ISSUES: b'{"issues":[]}',
        GET_CONFIG: encode({"version": VERSION, "state": "RUNNING", "recovery_mode": False}),
    }
    return Home(answers, {row["entity_id"]: encode(row) for row in rows})


def records_of(home: Home) -> list[Record]:
    """The home's records, decoded from its answers without any cache."""
    decode = msgspec.json.Decoder(list[msgspec.Raw]).decode
    records = [entity_record(row, aliases_ordered=True) for row in home.extended.values()]
    for registry, command in LISTS.items():
        records += [row_record(registry, row) for row in decode(home.answers[command])]
    return records


def snapshot_of(records: Sequence[Record], *, hashes: Mapping[Key, str] | None = None) -> Snapshot:
    """A snapshot of the records in the order of their lists, nothing of it derived yet."""
    lists = {name: [r.key for r in records if name == r.REGISTRY] for name in ("area", "floor")}
    return make_snapshot(
        records=records,
        taken_at=READ_AT,
        origin="bench",
        registries=frozenset(REGISTRIES),
        health=SourceHealth(ha_version=VERSION, state="RUNNING", recovery_mode=False),
        hashes=hashes,
        positions=positions_of(lists),
    )


def capture_files(home: Home) -> dict[str, bytes]:
    """The home as the files of a recording, by name; see the source `capture:`."""
    files = {
        f"{command.replace('config/', '').replace('/', '_')}.json": answer
        for command, answer in home.answers.items()
        if command != CATEGORY_LIST
    }
    files["get_config.json"] = home.answers[GET_CONFIG]
    files |= {f"category_registry_list_{scope}.json": b"[]" for scope in CategoryScopes()}
    files[f"{ENTITY_ENTRIES.replace('config/', '').replace('/', '_')}.json"] = home.entries(
        list(home.extended)
    )
    return files


def _change(rows: list[Row], count: int, *, may_replace: bool) -> None:
    """Rename `count` of the entities, spread evenly; every 20th of them makes way for another instead."""
    step = max(len(rows) // max(count, 1), 1)
    for nth, position in enumerate(range(0, step * count, step)):
        row = rows[position]
        if may_replace and nth % _REPLACED_EVERY == 0:
            row |= {"id": f"f{position:031x}", "unique_id": f"{row['unique_id']}-new"}
            row["entity_id"] += "_new"
        else:
            row |= {"name": f"Renamed {position}", "modified_at": READ_AT + position / 1000}


def _entity(random: Random, number: int, device: Row) -> Row:
    noun, room, domain = random.choice(_NOUNS), random.choice(_ROOMS), random.choice(_DOMAINS)
    text = noun.lower().replace(" ", "_")
    stamp = round(READ_AT - random.random() * 1e7, 6)
    return {
        "area_id": f"area_{random.randrange(_AREAS)}" if random.random() < 0.1 else None,
        "categories": {},
        "config_entry_id": device["config_entry_id"],
        "config_subentry_id": None,
        "created_at": stamp,
        "device_id": device["id"],
        "disabled_by": "integration" if random.random() < 0.15 else None,
        "entity_category": "diagnostic" if random.random() < 0.4 else None,
        "entity_id": f"{domain}.{room.lower().replace(' ', '_').replace('ü', 'u')}_{text}_{number}",
        "hidden_by": None,
        "icon": "mdi:gauge" if random.random() < 0.1 else None,
        "id": f"{random.getrandbits(128):032x}",
        "labels": [f"label_{random.randrange(_LABELS)}"] if random.random() < 0.2 else [],
        "modified_at": stamp,
        "name": f"{room} {noun}" if random.random() < 0.2 else None,
        "next_name_part": "entity",
        "options": {"conversation": {"should_expose": False}, "sensor": {"suggested_display_precision": 1}},
        "original_name": noun,
        "platform": device["identifiers"][0][0],
        "translation_key": text,
        "unique_id": f"{random.getrandbits(64):016x}-{device['serial_number']}-{text}",
        "aliases": [None],
        "capabilities": {"state_class": "measurement", "options": ["low", "medium"]} if domain == "sensor" else None,
        "device_class": None,
        "original_device_class": text,
        "original_icon": "mdi:gauge" if random.random() < 0.3 else None,
    }  # fmt: skip


def _device(random: Random, number: int) -> Row:
    entry, stamp = f"01M83ZKQEZFG5SJA71ZF{number % _ENTRIES:06d}", round(READ_AT - random.random() * 1e7, 6)
    domain = f"integration_{number % _ENTRIES}"
    return {
        "area_id": f"area_{random.randrange(_AREAS)}",
        "configuration_url": f"http://192.168.1.{number % 250}/device" if random.random() < 0.3 else None,
        "config_entries": [entry],
        "config_entries_subentries": {entry: [None]},
        "config_entry_id": entry,
        "config_subentry_id": None,
        "connections": [["mac", ":".join(f"{random.getrandbits(8):02x}" for _ in range(6))]],
        "created_at": stamp,
        "disabled_by": None,
        "entry_type": None,
        "hw_version": "1.0",
        "id": f"{random.getrandbits(128):032x}",
        "identifiers": [[domain, f"{random.getrandbits(64):016x}"]],
        "labels": [],
        "manufacturer": "Aqara",
        "model": f"Model {number % 90}",
        "model_id": f"lumi.weather{number % 90}",
        "modified_at": stamp,
        "name_by_user": f"{random.choice(_ROOMS)} device" if random.random() < 0.3 else None,
        "name": f"Device {number}",
        "next_name_part": None,
        "parent_device_id": None,
        "primary_config_entry": entry,
        "serial_number": f"{random.getrandbits(40):010x}",
        "sw_version": "2026.10.1",
        "via_device_id": None,
    }


def _named(registry: str, number: int, **more: object) -> Row:
    stamps = {"created_at": READ_AT - 1e7, "modified_at": READ_AT - 1e6}
    return {
        f"{registry}_id": f"{registry}_{number}",
        "name": f"{registry.title()} {number}",
        **more,
        **stamps,
    }


def _config_entry(number: int) -> Row:
    return {
        "created_at": READ_AT - 1e7,
        "entry_id": f"01M83ZKQEZFG5SJA71ZF{number:06d}",
        "domain": f"integration_{number}",
        "modified_at": READ_AT - 1e6,
        "title": f"Integration {number}",
        "source": "user",
        "state": "loaded",
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "disabled_by": None,
        "reason": None,
        "num_subentries": 0,
    }


@contextmanager
def recorded(entities: int) -> Iterator[Path]:
    """A folder for a service's files, with a recording of a home of this size in it, until the block ends."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "recording").mkdir()
        for name, body in capture_files(make_home(entities)).items():
            (folder / "recording" / name).write_bytes(body)
        yield folder
