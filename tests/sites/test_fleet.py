"""The homes of a process as one: what appears in the folder is started, what leaves it is ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from api.sites.ports import Stage
from engine.claims import Claim, ClaimListener, Ownership
from engine.core.words import Mode
from engine.files.store_lock import hold_store
from engine.settings.layers import merge_layers, settings_layers
from engine.sites import fleet as module
from engine.sites.files import SiteFiles
from engine.sites.fleet import Fleet
from engine.sites.pauses import pause
from engine.sites.shards import StaticShard
from tests.api.serving import SAMPLE, eventually

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running(folder: Path, ownership: Ownership | None = None) -> AsyncIterator[Fleet]:
    flags = {"sites.directory": str(folder / "sites.d"), "sites.state": str(folder / "state")}
    layers = settings_layers(flags, {}, None, None)
    settings = merge_layers(layers, {})[0].sites
    fleet = Fleet(
        SiteFiles(settings, layers, {}),
        ownership or StaticShard(settings.shard),
        mode=Mode.APPLY,
        clock=lambda: 1_800_000_000.0,
        listeners=lambda _site, _mirror: (),
        on_failed=lambda _site, _what, _error: None,
    )
    await fleet.begin()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fleet.run)
        yield fleet
        fleet.close()
        tasks.cancel_scope.cancel()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_RELOAD_SECONDS", 0.001)
    (tmp_path / "sites.d").mkdir()
    add(tmp_path, "one")
    return tmp_path


def add(folder: Path, name: str) -> None:
    (folder / "sites.d" / f"{name}.toml").write_text(f'[source]\nuri = "{SAMPLE_URI}"\n', encoding="utf-8")


SAMPLE_URI = f"capture:{SAMPLE}"


def stages(fleet: Fleet) -> dict[str, str]:
    return {view.name: view.stage.value for view in fleet.views()}


async def test_homes_come_and_go_with_their_files(folder: Path) -> None:
    async with running(folder) as fleet:
        await eventually(lambda: stages(fleet) == {"one": "kept"})
        add(folder, "two")
        pause(folder / "state" / "three")
        add(folder, "three")
        await eventually(lambda: stages(fleet) == {"one": "kept", "two": "kept", "three": "paused"})
        assert [view.name for view in fleet.views()] == ["one", "three", "two"]
        (folder / "sites.d" / "one.toml").unlink()
        await eventually(lambda: set(stages(fleet)) == {"two", "three"})
        assert (folder / "state" / "one").is_dir()
        assert fleet.view("one") is None
        assert await fleet.open("one") is None
        assert fleet.token("two") is None


async def test_a_folder_that_is_gone_for_a_while_ends_no_home(folder: Path) -> None:
    async with running(folder) as fleet:
        await eventually(lambda: stages(fleet) == {"one": "kept"})
        (folder / "sites.d").rename(folder / "elsewhere")
        for _ in range(20):
            await anyio.sleep(0.001)
        assert stages(fleet) == {"one": "kept"}
        (folder / "elsewhere").rename(folder / "sites.d")


async def test_the_rows_of_a_home_are_read_without_being_followed(folder: Path) -> None:
    async with running(folder) as fleet:
        await eventually(
            lambda: (
                all(v.status and v.status.report for v in fleet.views()) and stages(fleet) == {"one": "kept"}
            )
        )
        await eventually((folder / "state" / "one" / "rows.db").exists)
        assert await fleet.read("one", lambda transaction: transaction.count("device", ())) == 72
        assert await fleet.read("none", lambda transaction: transaction.count("device", ())) is None
        assert b'site="one"' in fleet.metrics("one", "")[0]


async def test_above_its_memory_the_process_starts_no_further_home(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "share_of_group", lambda: 1024)
    async with running(folder) as fleet:
        await eventually(lambda: stages(fleet) == {"one": "waiting"} and fleet.views()[0].reason is not None)
        assert "sites.memory_mib_max" in str(fleet.views()[0].reason)
        assert fleet.views()[0].stage is Stage.WAITING


class PassedAround:
    """An ownership that a test hands out: one claim at a time, on the homes that it names."""

    def __init__(self) -> None:
        self.gained: ClaimListener | None = None
        self.lost: ClaimListener | None = None

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        self.gained, self.lost = gained, lost
        await anyio.sleep_forever()


class NamedClaim:
    """A claim on the homes that are named."""

    owner = "test@1"
    is_exclusive = True

    def __init__(self, *names: str) -> None:
        self._names = names

    def covers(self, site: str) -> bool:
        return site in self._names

    def check(self) -> None:
        """It lasts."""


async def test_only_owned_homes_are_kept_and_they_end_before_their_release(folder: Path) -> None:
    add(folder, "two")
    ownership = PassedAround()
    async with running(folder, ownership) as fleet:
        await eventually(lambda: ownership.gained is not None)
        assert ownership.gained
        assert ownership.lost
        assert stages(fleet) == {}
        first: Claim = NamedClaim("one")
        await ownership.gained(first)
        await ownership.gained(NamedClaim("two"))
        await eventually(lambda: stages(fleet) == {"one": "kept", "two": "kept"})
        await ownership.lost(first)
        assert stages(fleet) == {"two": "kept"}
        # Its stores are free at once: the home's next owner need not wait for them.
        with hold_store(folder / "state" / "one" / "rows.db"):
            pass
        await ownership.gained(NamedClaim("one"))
        await eventually(lambda: stages(fleet) == {"one": "kept", "two": "kept"})


async def test_homes_of_one_claim_begin_one_after_the_other(folder: Path) -> None:
    for name in ("two", "three", "four"):
        add(folder, name)
    ownership = PassedAround()
    async with running(folder, ownership) as fleet:
        await eventually(lambda: ownership.gained is not None)
        assert ownership.gained
        await ownership.gained(NamedClaim("three", "four"))
        await ownership.gained(NamedClaim("one", "two"))
        await eventually(lambda: set(stages(fleet)) == {"one", "two", "three", "four"})
        assert list(fleet._running) in (["four", "three", "one", "two"], ["three", "four", "one", "two"])
