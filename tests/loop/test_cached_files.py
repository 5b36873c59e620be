"""Recordings, storage folders and backups, read with a cache and without: the same home, after any change of the files."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.file import PassCacheFile
from engine.pass_cache.ports import Recalling
from engine.replicas.rows.replica import open_rows
from engine.sources.answers.registry_rows import entity_record
from engine.sources.files import remembered_files
from engine.sources.files.backup import BackupSource
from engine.sources.files.capture import CaptureSource
from engine.sources.files.storage import StorageSource
from tests.homes import NOON
from tests.loop.changing_core import ODD
from tests.sources.files.test_backup import KEY, encrypted
from tests.sources.recorded_homes import DATA, clock, inner_archive, quiet, write_backup, write_outer

RECORDED = DATA / "2026.11.0"

Open = Callable[[], Recalling]


class Stores:
    """A rows file with its cache beside, or without one."""

    def __init__(self, path: Path, open_source: Open, *, is_caching: bool) -> None:
        self.path = path
        self.cache = PassCacheFile(path) if is_caching else None
        self._open_source = open_source
        self.recalled: Snapshot | None = None

    async def run(self, mode: str = "apply") -> Report:
        """One process that makes one pass."""
        rows, source = open_rows(self.path), self._open_source()
        recall = source.recall

        def noted(cache: Any) -> Snapshot | None:
            self.recalled = recall(cache)
            return self.recalled

        source.recall = noted  # type: ignore[method-assign]
        try:
            made = Reconciler(source, [rows], rows, lambda: NOON, quiet, cache=self.cache)
            policy = Policy(delete_confirm_seconds=0)
            report = await made.run(PassOptions(Mode(mode), policy, frozenset(REGISTRIES), "r", "home"))
        finally:
            rows.close()
        return msgspec.structs.replace(report, duration_seconds=0.0, phase_seconds={})

    def rows(self) -> Any:
        rows = open_rows(self.path, read_only=True)
        try:
            versions = rows.observe().versions
            return (
                versions,
                rows.read(versions),
                rows.applied("sqlite"),
                rows.changes(0, 10_000),
                rows.absences(),
            )
        finally:
            rows.close()


class Home:
    """Files of a home, and two stores that are kept equal to them."""

    def __init__(self, folder: Path, open_source: Open) -> None:
        self.folder = folder
        self.kept = Stores(folder / "kept.db", open_source, is_caching=True)
        self.bare = Stores(folder / "bare.db", open_source, is_caching=False)

    async def run(self) -> Report:
        """A pass with a cache, which ends as the one without."""
        kept, bare = await self.kept.run(), await self.bare.run()
        assert kept == bare
        assert self.kept.rows() == self.bare.rows()
        return kept


@pytest.fixture
def recording(tmp_path: Path) -> Home:
    shutil.copytree(RECORDED / "rich", tmp_path / "home")
    return Home(tmp_path, lambda: CaptureSource(tmp_path / "home", clock=clock))


@pytest.fixture
def storage(tmp_path: Path) -> Home:
    shutil.copytree(RECORDED / "storage", tmp_path / "home" / ".storage")
    (tmp_path / "home" / ".HA_VERSION").write_text("2026.11.0")
    return Home(tmp_path, lambda: StorageSource(tmp_path / "home", clock=clock))


@pytest.fixture
def archive(tmp_path: Path) -> Home:
    write_backup(tmp_path / "home", RECORDED / "storage")
    return Home(tmp_path, lambda: BackupSource(tmp_path / "home", clock=clock))


def edit(path: Path, change: Callable[[Any], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


async def test_a_recording_that_is_the_same_is_not_decoded(
    recording: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await recording.run()
    assert first.replicas[0].applied.upsert == first.source.records
    monkeypatch.setattr("engine.pass_cache.contents.decode_record", None)
    assert (await recording.kept.run()).status == "in_sync"
    assert recording.kept.recalled is not None


async def test_an_extended_row_counts_although_its_list_row_is_the_same(recording: Home) -> None:
    await recording.run()

    def change(message: Any) -> None:
        message["result"]["light.bed_light"]["aliases"] = ["Reading lamp"]

    edit(recording.folder / "home" / "entity_registry_get_entries.json", change)
    changed = await recording.run()
    assert [(r.entity_id, [f.name for f in r.fields]) for r in changed.records] == [
        ("light.bed_light", ["aliases"])
    ]
    (recording.folder / "home" / "entity_registry_get_entries.json").unlink()
    await recording.run()
    await recording.run()


async def test_only_changes_of_a_new_recording_are_decoded(
    recording: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = recording.folder / "home" / "entity_registry_get_entries.json"
    listed = recording.folder / "home" / "entity_registry_list.json"
    for path in (entries, listed):
        edit(path, lambda _message: None)  # in the form in which the edits write it
    await recording.run()
    monkeypatch.setattr("engine.sources.answers.entity_rows.entity_record", noting := Noting(entity_record))

    def change(row: Any) -> None:
        row |= {"name": "Renamed", "modified_at": row["modified_at"] + 1}

    edit(
        listed,
        lambda message: change(next(r for r in message["result"] if r["entity_id"] == "light.bed_light")),
    )
    edit(entries, lambda message: change(message["result"]["light.bed_light"]))
    report = await recording.kept.run()
    assert [(r.entity_id, r.kind) for r in report.records] == [("light.bed_light", "stale")]
    assert noting.count == 1


class Noting:
    """Counts the calls of a function."""

    def __init__(self, called: Callable[..., Any]) -> None:
        self.called, self.count = called, 0

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        self.count += 1
        return self.called(*arguments, **more)


@pytest.mark.slow
async def test_a_recording_lives_through_edits_as_without_a_cache(recording: Home) -> None:
    random, folder = Random(1), recording.folder / "home"
    lists = sorted(p for p in folder.glob("*.json") if p.name != "device_registry_list_composite_splits.json")
    for _ in range(25):

        def change(message: Any) -> None:
            result = message["result"]
            rows = list(result.values()) if isinstance(result, dict) and "version" not in result else result
            if isinstance(rows, list) and rows and isinstance(row := random.choice(rows), dict):
                row[random.choice(list(row))] = random.choice(["Renamed", *ODD])
            if isinstance(result, list) and random.random() < 0.2 and len(rows) > 1:
                rows.pop(random.randrange(len(rows)))

        if random.random() < 0.7:
            edit(random.choice(lists), change)
        await recording.run()


async def test_a_storage_folder_that_is_the_same_is_not_decoded(
    storage: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await storage.run()
    assert first.replicas[0].applied.upsert == first.source.records
    for path in (storage.folder / "home" / ".storage").iterdir():
        os.utime(path, (5, 5))
    monkeypatch.setattr(remembered_files, "snapshot_of_files", None)
    assert (await storage.kept.run()).status == "in_sync"


@pytest.mark.slow
@pytest.mark.parametrize("registry", ["device", "entity", "area", "label"])
async def test_a_storage_folder_lives_through_edits_as_without_a_cache(storage: Home, registry: str) -> None:
    random, path = Random(registry), storage.folder / "home" / ".storage" / f"core.{registry}_registry"
    name = {"entity": "entities"}.get(registry, f"{registry}s")
    await storage.run()
    for _ in range(6):

        def change(document: Any) -> None:
            rows = document["data"][name]
            row = random.choice(rows)
            row[random.choice(list(row))] = random.choice(["Renamed", *ODD])
            if random.random() < 0.3:
                rows.pop()

        if random.random() < 0.7:
            edit(path, change)
        await storage.run()


@pytest.mark.slow
async def test_the_health_is_read_even_if_the_registries_are_unchanged(
    storage: Home,
) -> None:
    await storage.run()
    (
        storage.folder / "home" / ".storage" / "core.device_registry.corrupt.2026-11-23T10:00:00+00:00"
    ).write_text("")
    await storage.run()
    (storage.folder / "home" / ".storage" / "repairs.issue_registry").write_text("{")
    await storage.run()
    (storage.folder / "home" / ".HA_VERSION").write_text("2026.12.0")
    assert (await storage.run()).source.version == "2026.12.0"
    (storage.folder / "home" / ".storage" / "core.label_registry").unlink()
    await storage.run()
    await storage.run()


async def test_a_backup_that_is_the_same_is_not_unpacked(
    archive: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await archive.run()
    assert first.replicas[0].applied.upsert == first.source.records
    monkeypatch.setattr(BackupSource, "_read_archive", None)
    second = await archive.kept.run()
    assert (second.status, second.compared_at) == ("in_sync", first.compared_at)


async def test_another_backup_is_read(archive: Home) -> None:
    await archive.run()
    shutil.copytree(RECORDED / "storage", archive.folder / "later")

    def change(document: Any) -> None:
        document["data"]["areas"][0]["name"] = "Renamed"

    edit(archive.folder / "later" / "core.area_registry", change)
    write_backup(archive.folder / "home", archive.folder / "later")
    report = await archive.run()
    assert [(r.registry, r.kind) for r in report.records] == [("area", "stale")]


async def test_a_backup_without_a_date_leaves_no_cache(archive: Home) -> None:
    write_backup(archive.folder / "home", RECORDED / "storage", info={"date": "yesterday"})
    await archive.run()
    assert archive.kept.cache is not None
    assert not archive.kept.cache.path.exists()


async def test_an_encrypted_backup_leaves_no_cache(tmp_path: Path) -> None:
    inner = encrypted(inner_archive(RECORDED / "storage"), 2)
    write_outer(tmp_path / "home", inner, info={"protected": True})
    home = Home(tmp_path, lambda: BackupSource(tmp_path / "home", key=KEY, clock=clock))
    assert (await home.run()).status == "in_sync"
    assert not (tmp_path / "kept.db.cache").exists()


async def test_a_cache_of_one_source_is_nothing_to_another(tmp_path: Path, storage: Home) -> None:
    await storage.run()
    write_backup(tmp_path / "backup.tar", RECORDED / "storage")
    other = Stores(
        storage.kept.path, lambda: BackupSource(tmp_path / "backup.tar", clock=clock), is_caching=True
    )
    await other.run()
    assert other.recalled is None
    await other.run()
    assert other.recalled is not None
