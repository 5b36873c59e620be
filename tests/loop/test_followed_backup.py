"""A service that follows a backup: it knows Home Assistant as of that backup, and only a newer one confirms a delete."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import msgspec
import pytest

from engine.core.records.record import Key
from engine.core.state.status import why_unknown
from engine.loop.informer import Informer
from engine.sources.files.backup import BackupSource
from engine.sources.files.polling import PollingSource
from tests.loop.running import Running
from tests.loop.virtual_time import PACE, clock, inline
from tests.sources.recorded_homes import DATA, write_backup

STORAGE = DATA / "2026.11.0" / "storage"
pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Backups:
    """The file that is followed, and the service that follows it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "backup.tar"
        self.storage = folder / "storage"
        shutil.copytree(STORAGE, self.storage)
        self.engine = Running()
        source = BackupSource(self.file, clock=clock, offload=inline)
        polled = PollingSource(source, self.file, PACE.coalesce_seconds, clock, inline)
        self.engine.service._informer = Informer(polled, PACE, lambda: 0.5, lambda *_: None)

    def make(self, at: float) -> None:
        """Replace the file by a backup with this date."""
        new = self.file.with_name("new.tar")
        write_backup(new, self.storage, info={"date": datetime.fromtimestamp(at, UTC).isoformat()})
        os.utime(new, (at, max(at, clock())))  # never written before virtual time
        new.replace(self.file)

    def remove_area(self) -> Key:
        """Remove an area from the home; the next backup lacks it."""
        path = self.storage / "core.area_registry"
        content = msgspec.json.decode(path.read_bytes())
        gone = content["data"]["areas"].pop()
        path.write_bytes(msgspec.json.encode(content))
        return Key("area", gone["id"])

    @property
    def reads(self) -> int:
        """The number of passes that were made."""
        return len(self.engine.reported)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[Running]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.engine.service.run)
            await anyio.sleep(5)
            yield self.engine
            tasks.cancel_scope.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("age", [0.0, 5 * 3600.0, -30 * 86_400.0])
async def test_nothing_is_claimed_of_the_time_after_a_backup(age: float, tmp_path: Path) -> None:
    """Heartbeats moved the watermark to the present, and a date in the future was one."""
    backups = Backups(tmp_path)
    made_at = clock() - age
    read_at = clock()
    backups.make(made_at)
    async with backups.followed() as engine:
        for seconds in (1, 60, 600, 3600):
            await anyio.sleep(seconds)
            for replica in engine.service.status().replicas:
                assert replica.synced_at == replica.compared_at == min(made_at, read_at)
        assert engine.word() == "unknown"
        date = datetime.fromtimestamp(min(made_at, read_at), UTC).strftime("%Y-%m-%dT%H:%M")
        assert f"the backup was made at {date}" in why_unknown(
            engine.service.status().replicas[0], PACE.freshness
        )


async def test_a_date_in_the_future_is_named(tmp_path: Path) -> None:
    backups = Backups(tmp_path)
    backups.make(clock() + 86_400)
    async with backups.followed() as engine:
        report = engine.service.status().report
        assert report is not None
        assert report.source.backup_at == clock() - 5
        assert "in the future: it counts as of 2026-11-23T12:00:00.000Z, when it was read." in str(
            report.source.note
        )


@pytest.mark.parametrize("ahead", [0.0, 30 * 86_400.0])
async def test_a_delete_waits_for_a_newer_backup_and_is_confirmed_by_it(ahead: float, tmp_path: Path) -> None:
    """Also where the clock that dates the backups is a month ahead."""
    backups = Backups(tmp_path)
    backups.make(clock() + ahead)
    async with backups.followed() as engine:
        gone = backups.remove_area()
        backups.make(clock() + ahead)
        await anyio.sleep(300)
        report = engine.service.status().report
        assert report is not None
        assert {(r.key, r.outcome, r.waits_for_backup) for r in report.records if r.action == "delete"} == {
            (gone.id, "waiting", True)
        }
        assert gone in engine.rows.rows, "the same backup read again confirms nothing"
        backups.make(clock() + ahead)
        await anyio.sleep(5)
        assert gone not in engine.rows.rows
        assert engine.word() == "in_sync"


async def test_a_backup_that_follows_too_soon_confirms_nothing(tmp_path: Path) -> None:
    backups = Backups(tmp_path)
    backups.make(clock())
    async with backups.followed() as engine:
        gone = backups.remove_area()
        first = clock()
        backups.make(first)
        await anyio.sleep(100)
        backups.make(first + 59)
        await anyio.sleep(5)
        assert gone in engine.rows.rows
        backups.make(first + 60)
        await anyio.sleep(5)
        assert gone not in engine.rows.rows
