"""The .storage folder, also while it is being written, and beside a corrupt store."""

import codecs
import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.core.records.record_json import encode_record
from engine.errors import SourceInvalid, SourceUnavailable
from engine.sources.files.storage import READ_TRIES, StorageSource
from tests.sources.recorded_homes import DATA, clock, quiet

CORRUPT = "core.device_registry.corrupt.2026-11-23T10:00:00.123456+00:00"
CORRUPT_ISSUE = "storage_corruption_core.device_registry_2026-11-23T10:00:00.123456+00:00"
SETTLED_SECONDS = 1795500000.0
EARLIER_SECONDS = 1795400000.0
pytestmark = pytest.mark.anyio


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration folder of 2026.11.0."""
    shutil.copytree(DATA / "2026.11.0" / "storage", tmp_path / ".storage")
    (tmp_path / ".HA_VERSION").write_text("2026.11.0", encoding="utf-8")
    return tmp_path


async def read(folder: Path, between: Callable[[], None] = lambda: None) -> Snapshot:
    return await StorageSource(folder, clock=clock, between=between).read(quiet)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a stored file the way Home Assistant does, by replacing it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    new = path.with_name(f"tmp{path.name}")
    new.write_text(json.dumps(content), encoding="utf-8")
    new.replace(path)


def write_issues(config: Path, *issue_ids: str, at: float) -> None:
    path = config / ".storage" / "repairs.issue_registry"
    issues = [{"issue_id": issue_id, "domain": "homeassistant"} for issue_id in issue_ids]
    path.write_text(json.dumps({"version": 1, "data": {"issues": issues}}), encoding="utf-8")
    os.utime(path, (at, at))


async def test_the_configuration_folder_and_its_storage_are_one_source(config: Path) -> None:
    outer, inner = await read(config), await read(config / ".storage")

    assert outer.home.hashes == inner.home.hashes
    assert outer.reading.health.ha_version == inner.reading.health.ha_version == "2026.11.0"


async def test_a_folder_on_its_own_does_not_know_its_version(config: Path) -> None:
    (config / ".HA_VERSION").unlink()

    assert (await read(config)).reading.health.ha_version is None


async def test_secrets_of_config_entries_are_nowhere(config: Path) -> None:
    def plant(content: dict[str, Any]) -> None:
        entry = content["data"]["entries"][0]
        entry["data"]["password"] = entry["options"]["token"] = entry["brand_new"] = "hunter2"
        entry["unique_id"] = "hunter2"
        entry["subentries"] = [{"data": {"key": "hunter2"}}]

    edit(config / ".storage" / "core.config_entries", plant)

    snapshot = await read(config)

    assert any(key.registry == "config_entry" for key in snapshot.home.records)
    assert not [k for k, record in snapshot.home.records.items() if b"hunter2" in encode_record(record)]
    assert not [k for k, record in snapshot.home.records.items() if "hunter2" in repr(record)]


async def test_deleted_rows_are_removed_keys_unless_they_live_again(config: Path) -> None:
    before = await read(config)
    back = next(key.id for key in before.reading.removed if key.registry == "device")

    def revive(content: dict[str, Any]) -> None:
        content["data"]["devices"].append({"id": back, "name": "Back", "config_entry_id": "c"})

    edit(config / ".storage" / "core.device_registry", revive)
    after = await read(config)

    assert Key("device", back) in before.reading.removed
    assert before.reading.removed - after.reading.removed == {Key("device", back)}


async def test_a_registry_without_a_file_was_not_read(config: Path) -> None:
    missing = {"area", "floor", "label", "category"}
    for name in missing:
        (config / ".storage" / f"core.{name}_registry").unlink(missing_ok=True)

    snapshot = await read(config)

    assert snapshot.reading.registries == {"device", "entity", "config_entry"}
    assert {key.registry for key in snapshot.home.records} == {"device", "entity", "config_entry"}
    assert snapshot.reading.unread.registries.keys() == missing
    assert f"core.floor_registry is missing in {config}" in snapshot.reading.unread.registries["floor"]


@pytest.mark.parametrize("data", [{}, {"areas": None}, {"areas": {}}, None, []])
async def test_a_registry_file_without_its_list_is_refused(config: Path, data: object) -> None:
    edit(config / ".storage" / "core.area_registry", lambda content: content.update(data=data))
    with pytest.raises(SourceInvalid, match=r"core\.area_registry"):
        await read(config)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1, "data": {"issues": [{"issue_id": 3}]}}'])
async def test_repair_issues_that_cannot_be_read_cost_the_trust_and_not_the_home(
    config: Path, content: str
) -> None:
    whole = await read(config)
    (config / ".storage" / "repairs.issue_registry").write_text(content)

    snapshot = await read(config)

    assert snapshot.home.records == whole.home.records
    assert "repairs.issue_registry" in snapshot.reading.health.unread[0]
    assert whole.reading.health.unread == ()


async def test_repair_issues_that_are_no_file_are_as_good_as_damaged(config: Path) -> None:
    (config / ".storage" / "repairs.issue_registry").mkdir()
    assert (await read(config)).reading.health.unread


def _set_rows(name: str, rows: object, content: dict[str, Any]) -> None:
    content["data"][name] = rows


@pytest.mark.parametrize("deleted", [None, {}, [None, {"id": 3}, {"id": ""}, {}]])
async def test_an_odd_list_of_deleted_rows_is_no_evidence(config: Path, deleted: object) -> None:
    for name in ("device", "entity"):
        rows = "deleted_devices" if name == "device" else "deleted_entities"
        edit(config / ".storage" / f"core.{name}_registry", partial(_set_rows, rows, deleted))
    assert (await read(config)).reading.removed == frozenset()


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (b"2024.3.3", "2024.3.3"),
        (b"\xef\xbb\xbf2026.11.0b2\r\n", "2026.11.0b2"),
        (b"", None),
        (b"\xff\xfe\x00", None),
        (b"latest", None),
        (b"2024.3.3\n" * 100, None),
    ],
)
async def test_a_version_file_without_a_valid_version_is_ignored(
    config: Path, content: bytes, version: str | None
) -> None:
    (config / ".HA_VERSION").write_bytes(content)
    assert (await read(config)).reading.health.ha_version == version


async def test_a_version_file_that_cannot_be_opened_is_ignored(config: Path) -> None:
    (config / ".HA_VERSION").unlink(missing_ok=True)
    (config / ".HA_VERSION").mkdir()
    assert (await read(config)).reading.health.ha_version is None


async def test_a_folder_without_devices_and_entities_is_no_storage(config: Path, tmp_path: Path) -> None:
    (config / ".storage" / "core.device_registry").unlink()
    (config / ".storage" / "core.entity_registry").unlink()

    with pytest.raises(SourceInvalid, match=r"not a \.storage folder"):
        await read(config)
    with pytest.raises(SourceInvalid, match="nowhere"):
        await read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "version"), [("device_registry", 2), ("device_registry", 4), ("entity_registry", 2)]
)
async def test_an_unknown_store_version_is_refused_with_advice_to_update(
    config: Path, name: str, version: int
) -> None:
    edit(config / ".storage" / f"core.{name}", lambda content: content.update(version=version))

    with pytest.raises(SourceInvalid, match=rf"core\.{name} has version {version}\.") as raised:
        await read(config)
    assert "Update this program" in raised.value.hint


@pytest.mark.parametrize(
    ("fields", "same_order"),
    [
        ({"version": "1"}, True),
        ({"version": 1.0, "minor_version": "9"}, True),
        ({"minor_version": None}, False),
        ({"minor_version": [9]}, False),
    ],
)
async def test_a_version_of_another_type_does_not_cost_the_home(
    config: Path, fields: dict[str, Any], same_order: bool
) -> None:
    before = await read(config)
    edit(config / ".storage" / "core.area_registry", lambda content: content.update(fields))

    after = await read(config)

    assert after.home.hashes == before.home.hashes
    assert (after.home.positions == before.home.positions) is same_order


@pytest.mark.parametrize("version", [None, [], "new", 1.5])
async def test_a_file_that_does_not_say_its_version_is_refused(config: Path, version: object) -> None:
    edit(config / ".storage" / "core.area_registry", lambda content: content.update(version=version))

    with pytest.raises(SourceInvalid, match=r"core\.area_registry has no version"):
        await read(config)


async def test_an_area_that_is_set_aside_keeps_its_place_in_the_order(config: Path) -> None:
    before = await read(config)
    first, *others = sorted(
        (place, key) for key, place in before.home.positions.items() if key.registry == "area"
    )
    edit(config / ".storage" / "core.area_registry", lambda content: content["data"]["areas"][0].pop("id"))

    after = await read(config)

    assert first[1] not in after.home.positions
    assert {key: place for key, place in after.home.positions.items() if key.registry == "area"} == {
        key: place for place, key in others
    }


async def test_a_byte_order_mark_does_not_cost_the_home(config: Path) -> None:
    before = await read(config)
    file = config / ".storage" / "core.device_registry"
    file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())

    assert (await read(config)).home.hashes == before.home.hashes


async def test_a_newer_minor_version_is_read(config: Path) -> None:
    before = await read(config)

    edit(config / ".storage" / "core.entity_registry", lambda content: content.update(minor_version=99))

    assert (await read(config)).home.hashes == before.home.hashes


@pytest.mark.parametrize(
    "name", ["core.device_registry", "core.entity_registry", "core.config_entries", "core.area_registry"]
)
@pytest.mark.parametrize(
    "content", [b"", b'{"version": 1, "data": {"entries": [', b"[]", b'{"version": 1, "data": {"\xfc": 1}}']
)
async def test_a_broken_file_is_named(config: Path, name: str, content: bytes) -> None:
    (config / ".storage" / name).write_bytes(content)

    with pytest.raises(SourceInvalid, match=name):
        await read(config)


@pytest.mark.parametrize("change", ["without id", "twice"])
async def test_rows_without_an_id_or_with_the_same_are_set_aside(config: Path, change: str) -> None:
    def break_rows(content: dict[str, Any]) -> None:
        row = dict(content["data"]["devices"][0])
        if change == "without id":
            del row["id"]
        content["data"]["devices"].append(row)

    before = await read(config)
    edit(config / ".storage" / "core.device_registry", break_rows)
    snapshot = await read(config)

    row, *others = snapshot.home.set_aside
    assert row.registry == "device"
    assert others == ([row] if change == "twice" else [])
    assert before.home.records.keys() - snapshot.home.records.keys() == (
        {row.key} if change == "twice" else set()
    )


async def test_files_written_while_they_are_read_are_read_again(config: Path) -> None:
    path = config / ".storage" / "core.area_registry"
    writes = iter([True])

    def write_once() -> None:
        if next(writes, False):
            edit(path, lambda content: content["data"]["areas"][0].update(name="Renamed meanwhile"))

    snapshot = await read(config, between=write_once)

    assert any(
        getattr(record, "name", "") == "Renamed meanwhile" for record in snapshot.home.records.values()
    )


async def test_unwritten_files_are_read_once(config: Path) -> None:
    reads: list[int] = []
    source = StorageSource(config, clock=iter([1.0, 2.0, 3.0]).__next__, between=lambda: reads.append(1))

    first, second = await source.read(quiet), await source.read(quiet)
    edit(config / ".storage" / "core.area_registry", lambda content: content["data"].update(areas=[]))
    third = await source.read(quiet)

    assert len(reads) == 2
    assert second.home.records is first.home.records
    assert (first.reading.taken_at, second.reading.taken_at, third.reading.taken_at) == (1.0, 2.0, 3.0)
    assert {k.registry for k in first.home.records.keys() - third.home.records.keys()} == {"area"}


async def test_files_that_never_settle_are_worth_another_try(config: Path) -> None:
    path = config / ".storage" / "core.area_registry"
    writes: list[int] = []

    def write() -> None:
        writes.append(1)
        edit(path, lambda content: content["data"]["areas"][0].update(name="x" * len(writes)))

    with pytest.raises(SourceUnavailable):
        await read(config, between=write)
    assert len(writes) == READ_TRIES


async def test_an_entity_of_an_unknown_device_is_accepted(config: Path) -> None:
    edit(config / ".storage" / "core.device_registry", lambda content: content["data"].update(devices=[]))

    assert any(key.registry == "entity" for key in (await read(config)).home.records)


async def test_a_renamed_corrupt_store_counts(config: Path) -> None:
    (config / ".storage" / CORRUPT).write_bytes(b"{")

    assert (await read(config)).reading.health.corrupt_stores == ("core.device_registry",)


async def test_a_corrupt_store_counts_until_its_repair_issue_is_settled(config: Path) -> None:
    (config / ".storage" / CORRUPT).write_bytes(b"{")
    write_issues(config, "other", at=EARLIER_SECONDS)
    not_saved_since = await read(config)
    write_issues(config, CORRUPT_ISSUE, at=SETTLED_SECONDS)
    open_issue = await read(config)
    write_issues(config, "other", at=SETTLED_SECONDS)
    settled = await read(config)

    assert not_saved_since.reading.health.corrupt_stores == ("core.device_registry",)
    assert open_issue.reading.health.corrupt_stores == ("core.device_registry",)
    assert settled.reading.health.corrupt_stores == ()
