"""Homes in the state in which `reconcile` is killed: a folder with `source`, and the stores as they are before.

All are made from the sample of 205 records. `source` is a folder of recorded command results.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import HASH_VERSION
from engine.replicas.history.revisions import digest_revision
from engine.sources.files.capture import CaptureSource
from tests.kill.fork_server import ROOT, ForkServer, Order
from tests.replicas.passes import make_homeiq, sql

SAMPLE = ROOT / "ops" / "sample" / "home-2026.11"
ARGV = ["--source", "capture:source", "--rows", "rows.db", "--records", "history:history.db", "--json"]
# A removed record would otherwise take a second pass a minute later.
ENVIRON = {"RECONCILE_PLAN__DELETE_CONFIRM_SECONDS": "0"}

Row = dict[str, Any]


def edit(source: Path, command: str, change: Callable[[Any], None]) -> None:
    """Change a recorded answer; a reader sees the old answer or the new one."""
    file = source / f"{command}.json"
    message = json.loads(file.read_text())
    change(message["result"])
    written = source.parent / f"{command}.new"
    written.write_text(json.dumps(message))
    written.replace(file)


def change_one_percent(source: Path) -> None:
    """A device gets a name, an entity another entity_id, an entity goes, an area comes."""
    renamed, removed = "light.bed_light", "binary_sensor.sun_solar_rising"

    def in_list(rows: list[Row]) -> None:
        next(row for row in rows if row["entity_id"] == renamed)["entity_id"] = "light.night_light"
        rows[:] = [row for row in rows if row["entity_id"] != removed]

    def in_entries(rows: dict[str, Row]) -> None:
        del rows[removed]
        rows["light.night_light"] = {**rows.pop(renamed), "entity_id": "light.night_light"}

    edit(source, "entity_registry_list", in_list)
    edit(source, "entity_registry_get_entries", in_entries)
    edit(source, "device_registry_list", lambda rows: rows[5].update(name_by_user="By the window"))
    edit(
        source,
        "area_registry_list",
        lambda rows: rows.append({**rows[0], "area_id": "attic", "name": "Attic"}),
    )


def first_fill(folder: Path, _server: ForkServer) -> None:
    """No stores yet."""
    shutil.copytree(SAMPLE, folder / "source")


def one_percent(folder: Path, server: ForkServer) -> None:
    """Filled, and then Home Assistant changed a little."""
    first_fill(folder, server)
    assert server.run(Order(ARGV, str(folder), ENVIRON)).code == 0
    change_one_percent(folder / "source")


def adoption(folder: Path, server: ForkServer) -> None:
    """A HomeIQ database with its five mock devices, two of our own, and entities without registry ids."""
    first_fill(folder, server)
    rows = folder / "rows.db"
    make_homeiq(rows)
    devices = json.loads((folder / "source" / "device_registry_list.json").read_text())["result"]
    for device in devices[:2]:
        sql(
            rows, "INSERT INTO devices (device_id, name, health_score) VALUES (?, 'Unknown', 7)", device["id"]
        )
    entities = json.loads((folder / "source" / "entity_registry_list.json").read_text())["result"]
    for entity in entities[:40]:
        row = (entity["entity_id"], entity["entity_id"].partition(".")[0], entity["unique_id"])
        sql(rows, "INSERT INTO entities (entity_id, domain, unique_id) VALUES (?, ?, ?)", *row)


def migration(folder: Path, server: ForkServer) -> None:
    """Stores as an older program left them, with another hash version and fewer columns; and a small change."""
    one_percent(folder, server)
    rows, history = folder / "rows.db", folder / "history.db"
    sql(rows, "UPDATE reconcile_meta SET value = 0 WHERE name = 'row_layout'")
    sql(
        rows,
        "UPDATE reconcile_applied SET version = '0' || substr(version, 2), row_digest = 'of fewer columns'",
    )
    sql(rows, "ALTER TABLE devices DROP COLUMN hw_version")
    assert HASH_VERSION != 0
    for at_ns, registry, id_, hash_, payload in sql(
        history, "SELECT at_ns, registry, id, hash, payload FROM records"
    ):
        older = f"0{str(hash_)[1:]}"
        digest = digest_revision(registry, id_, older, payload)
        sql(history, "UPDATE records SET hash = ?, digest = ? WHERE at_ns = ?", older, digest, at_ns)  # type: ignore[arg-type]  # at_ns is an integer


SCENARIOS: dict[str, Callable[[Path, ForkServer], None]] = {
    "first fill": first_fill,
    "one percent": one_percent,
    "adoption": adoption,
    "migration": migration,
}


def desired(folder: Path) -> Snapshot:
    """What the source says."""
    return anyio.run(CaptureSource(folder / "source").read, lambda *_: None)
