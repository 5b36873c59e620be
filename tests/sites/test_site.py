"""One home among many: what it raises is its own state, and it is started again."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import msgspec
import pytest

from api.sites.ports import Stage
from engine.composition.resources import Resources
from engine.core.state.intervals import AGELESS
from engine.core.words import Mode
from engine.errors import SettingsError
from engine.settings.records import RecordsSettings
from engine.settings.sections import LoadedSettings, RowsSettings, Settings
from engine.sites import site as module
from engine.sites.files import SiteFile
from engine.sites.site import Site, SiteDependencies
from tests.api.serving import eventually

pytestmark = pytest.mark.anyio
FILE = SiteFile(Path("a.toml"), "a", (1, 1, 1), LoadedSettings(Settings(), {}, {}, {}))


class Played:
    """A mirror that does what a test wants."""

    def __init__(self) -> None:
        self.starts = 0
        self.error: Callable[[], BaseException] | None = None
        self.reported: list[tuple[str, str]] = []
        self.why: str | None = None
        self.rests = 0

    @asynccontextmanager
    async def open(self, *_: object, **_options: object) -> AsyncIterator[Any]:
        self.starts += 1

        async def run() -> None:
            if self.error is not None:
                raise self.error()
            await anyio.sleep_forever()

        async def rest() -> None:
            self.rests += 1

        async def feed_run() -> None:
            feed.is_readable = True
            await anyio.sleep_forever()

        feed = SimpleNamespace(is_readable=False, streams=0, run=feed_run, close=lambda: None)
        rows_reader = SimpleNamespace(rest=rest)
        yield SimpleNamespace(
            run=run, run_activity=anyio.sleep_forever, feed=feed, rows_reader=rows_reader, context="context",
            freshness=AGELESS, status=lambda: None, listen=lambda _listener: None,
        )  # fmt: skip

    def dependencies(self) -> SiteDependencies:
        return SiteDependencies(
            mode=Mode.APPLY,
            clock=lambda: 0.0,
            draw=lambda: 0.0,
            resources=lambda _file: Resources(),
            listeners=lambda _mirror: (),
            why_wait=lambda: self.why,
            on_failed=lambda site, what, _error: self.reported.append((site, what)),
        )


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    made = Played()
    monkeypatch.setattr(module, "open_mirror", made.open)
    for name in ("_RETRY_SECONDS_MIN", "_RETRY_SECONDS_MAX"):
        monkeypatch.setattr(module, name, 0.001)
    return made


@asynccontextmanager
async def running(played: Played, file: SiteFile = FILE, *, is_paused: bool = False) -> AsyncIterator[Site]:
    site = Site(file, played.dependencies(), is_paused=is_paused)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(site.run)
        yield site
        tasks.cancel_scope.cancel()


async def test_a_home_that_raises_is_restarted_and_finally_stays_failed(played: Played) -> None:
    played.error = lambda: ValueError("odd")
    async with running(played) as site:
        await eventually(lambda: site.stage is Stage.FAILED)
        assert played.starts == 5
        assert "ValueError: odd" in str(site.view().reason)
        assert played.reported[0] == ("a", "its code raised ValueError: odd")
        played.error = None
        site.update(msgspec.structs.replace(FILE, signature=(2, 2, 2)), is_paused=False)
        await eventually(lambda: site.stage is Stage.KEPT)


async def test_each_store_gets_its_folder(played: Played, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(
        Settings(),
        rows=RowsSettings(file=str(tmp_path / "elsewhere" / "rows.db")),
        records=RecordsSettings(uri=f"history:{tmp_path / 'state' / 'history.db'}"),
    )
    file = msgspec.structs.replace(FILE, loaded=LoadedSettings(settings, {}, {}, {}))
    async with running(played, file) as site:
        await eventually(lambda: site.stage is Stage.KEPT)
        assert {*os.listdir(tmp_path)} == {"elsewhere", "state"}  # noqa: PTH208


async def test_an_expected_error_is_retried_forever(played: Played) -> None:
    played.error = lambda: SettingsError("Another service keeps it.", "Stop it.")
    async with running(played) as site:
        await eventually(lambda: played.starts > 10 and site.stage is Stage.WAITING)
        assert "Another service keeps it." in str(site.view().reason)


async def test_a_home_is_paused_and_resumed(played: Played) -> None:
    async with running(played, is_paused=True) as site:
        await eventually(lambda: site.stage is Stage.PAUSED)
        assert await site.open() is None
        site.update(FILE, is_paused=False)
        await eventually(lambda: site.stage is Stage.KEPT)
        site.update(FILE, is_paused=True)
        await eventually(lambda: site.stage is Stage.PAUSED)
        assert played.starts == 1


async def test_a_file_that_breaks_leaves_its_home_running_and_is_reported(played: Played) -> None:
    broken = msgspec.structs.replace(
        FILE, signature=(2, 2, 2), loaded=None, error=SettingsError("Broken.", "")
    )
    async with running(played) as site:
        await eventually(lambda: site.stage is Stage.KEPT)
        site.update(broken, is_paused=False)
        assert (site.view().stage, site.view().reason) == (Stage.KEPT, "Broken.")
        site.update(FILE, is_paused=False)
        assert site.view().reason is None
    assert played.starts == 1


async def test_a_home_with_a_broken_file_starts_once_the_file_is_repaired(played: Played) -> None:
    broken = msgspec.structs.replace(FILE, loaded=None, error=SettingsError("Broken.", ""))
    async with running(played, broken) as site:
        await eventually(lambda: site.stage is Stage.INVALID)
        site.update(FILE, is_paused=False)
        await eventually(lambda: site.stage is Stage.KEPT)


async def test_without_memory_a_home_waits(played: Played) -> None:
    played.why = "the process holds too much"
    async with running(played) as site:
        await eventually(lambda: site.view().reason == "the process holds too much")
        played.why = None
        await eventually(lambda: site.stage is Stage.KEPT)


async def test_tasks_that_only_readers_need_start_with_the_first_request(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "_AWAKE_SECONDS", 0.05)
    async with running(played) as site:
        await eventually(lambda: site.stage is Stage.KEPT)
        assert site.mirror is not None
        assert not site.mirror.feed.is_readable
        assert str(await site.open()) == "context"
        await eventually(lambda: played.rests == 1)
