"""Files made followable: a change is noticed, nothing else is."""

import errno
import os
import shutil
from pathlib import Path

import anyio
import pytest

from engine.errors import SourceError, SourceUnavailable
from engine.sources.files.backup import BackupSource
from engine.sources.files.capture import CaptureSource
from engine.sources.files.polling import PollingSource
from engine.sources.files.storage import StorageSource
from tests.commandline.homes import Home
from tests.sources.recorded_homes import DATA, clock, quiet, write_backup

POLL_SECONDS = 0.01
pytestmark = pytest.mark.anyio


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def polling(home: Home) -> PollingSource:
    return PollingSource(CaptureSource(home.folder, clock=clock), home.folder, POLL_SECONDS, clock)


async def test_a_changed_file_is_noticed_and_everything_is_read(home: Home) -> None:
    async with polling(home).watch() as watch:
        before = await watch.read(quiet)
        device_id = home.rename_device("Renamed")
        with anyio.fail_after(60):
            hints = await watch.wait_for_hints()
        assert hints.relist
        after = await watch.refresh(hints, before)
        (changed,) = {k for k, h in after.home.hashes.items() if before.home.hashes[k] != h}
        assert changed.id == device_id


async def test_a_file_that_was_edited_with_its_size_and_time_kept_is_noticed(home: Home) -> None:
    file = next(home.folder.glob("*area*"))
    os.utime(file, ns=(1, 1))
    async with polling(home).watch() as watch:
        await watch.read(quiet)
        before = file.stat().st_ctime_ns
        while (
            file.stat().st_ctime_ns == before
        ):  # the clock of a file system may tick a few hundred times a second
            file.write_bytes(file.read_bytes())
            os.utime(file, ns=(1, 1))
        assert await watch.heartbeat() is None


async def test_unchanged_files_are_confirmed_without_a_hint(home: Home) -> None:
    async with polling(home).watch() as watch:
        await watch.read(quiet)
        assert await watch.heartbeat() == clock()
        with anyio.move_on_after(POLL_SECONDS * 5) as scope:
            await watch.wait_for_hints()
        assert scope.cancelled_caught


async def test_a_change_that_was_not_read_yet_confirms_nothing(home: Home) -> None:
    async with polling(home).watch() as watch:
        await watch.read(quiet)
        home.rename_device("Renamed")
        assert await watch.heartbeat() is None


async def test_only_the_files_we_read_are_polled_in_a_configuration_folder(tmp_path: Path) -> None:
    shutil.copytree(DATA / "2026.11.0" / "storage", tmp_path / ".storage")
    (tmp_path / "www").mkdir()
    source = PollingSource(StorageSource(tmp_path, clock=clock), tmp_path, POLL_SECONDS, clock)
    async with source.watch() as watch:
        await watch.read(quiet)
        (tmp_path / "home-assistant_v2.db").touch()
        (tmp_path / "www" / "picture").touch()
        assert await watch.heartbeat() == clock()
        (tmp_path / ".HA_VERSION").touch()
        assert await watch.heartbeat() is None
        await watch.read(quiet)
        (tmp_path / ".storage" / "core.area_registry").touch()
        assert await watch.heartbeat() is None


async def test_a_capture_that_holds_a_storage_folder_is_polled(home: Home) -> None:
    """Only the storage folder was, so a change of the capture was never seen while the status said in sync."""
    (home.folder / ".storage").mkdir()
    async with polling(home).watch() as watch:
        await watch.read(quiet)
        assert await watch.heartbeat() == clock()
        home.rename_device("Renamed")
        assert await watch.heartbeat() is None
        await watch.read(quiet)
        (home.folder / "area_registry_list.json").unlink()
        assert await watch.heartbeat() is None
        await watch.read(quiet)
        (home.folder / "category_registry_list_garden.json").write_text("[]", encoding="utf-8")
        assert await watch.heartbeat() is None


async def test_a_storage_folder_beside_a_capture_is_polled(tmp_path: Path) -> None:
    shutil.copytree(DATA / "2026.11.0" / "rich", tmp_path / "home")
    shutil.copytree(DATA / "2026.11.0" / "storage", tmp_path / "home" / ".storage")
    folder = tmp_path / "home"
    async with PollingSource(
        StorageSource(folder, clock=clock), folder, POLL_SECONDS, clock
    ).watch() as watch:
        await watch.read(quiet)
        (folder / "area_registry_list.json").touch()
        assert await watch.heartbeat() == clock(), "the source does not read it"
        (folder / ".storage" / "core.area_registry").touch()
        assert await watch.heartbeat() is None


@pytest.mark.parametrize("kind", ["capture", "storage"])
async def test_a_link_that_leads_to_another_home_is_noticed(kind: str, tmp_path: Path) -> None:
    """Also where a copy kept all names, sizes and times."""
    data = DATA / "2026.11.0" / ("rich" if kind == "capture" else "storage")
    for name in ("one", "other"):
        shutil.copytree(data, tmp_path / name)
        for file in (tmp_path / name).iterdir():
            os.utime(file, ns=(1, 1))
    link = tmp_path / "link"
    link.symlink_to("one")
    source = (CaptureSource if kind == "capture" else StorageSource)(link, clock=clock)
    async with PollingSource(source, link, POLL_SECONDS, clock).watch() as watch:
        await watch.read(quiet)
        assert await watch.heartbeat() == clock()
        link.unlink()
        link.symlink_to("other")
        assert await watch.heartbeat() is None


@pytest.mark.parametrize("kind", ["capture", "storage", "backup"])
async def test_a_home_that_is_renamed_away_is_lost_and_found_when_it_is_back(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "home"
    if kind == "backup":
        write_backup(path, DATA / "2026.11.0" / "storage")
    else:
        shutil.copytree(DATA / "2026.11.0" / ("rich" if kind == "capture" else "storage"), path)
    sources = {"capture": CaptureSource, "storage": StorageSource, "backup": BackupSource}
    async with PollingSource(sources[kind](path, clock=clock), path, POLL_SECONDS, clock).watch() as watch:
        await watch.read(quiet)
        path.rename(tmp_path / "away")
        assert await watch.heartbeat() is None
        with anyio.fail_after(60):
            await watch.wait_for_hints()
        with pytest.raises(SourceError):
            await watch.read(quiet)
        assert await watch.heartbeat() is None, "what is absent still confirms nothing"
        (tmp_path / "away").rename(path)
        assert (await watch.read(quiet)).home.records


async def test_a_modification_time_that_goes_back_is_a_change(home: Home) -> None:
    async with polling(home).watch() as watch:
        await watch.read(quiet)
        os.utime(home.folder / "area_registry_list.json", ns=(1, 1))
        assert await watch.heartbeat() is None


async def test_it_has_the_origin_and_records_of_the_source_it_wraps(home: Home) -> None:
    source = polling(home)
    assert source.origin == home.source
    assert len((await source.read(quiet)).home.records) == 205


async def test_a_folder_that_cannot_be_looked_at_is_lost_and_no_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service ended with a traceback when it had no file descriptor left to look with."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(home.folder))

    async with polling(home).watch() as watch:
        await watch.read(quiet)
        monkeypatch.setattr(Path, "iterdir", refuse)
        with pytest.raises(SourceUnavailable, match="may not open another file"):
            await watch.heartbeat()
        with pytest.raises(SourceUnavailable, match="may not open another file"):
            await watch.wait_for_hints()
