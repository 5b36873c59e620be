"""The running engine behind a real Home Assistant: changes arrive by themselves, wrecks are healed, restarts survived."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import apsw
import pytest

from engine.composition.follow import make_service
from engine.composition.stores import open_stores
from engine.core.state.report import Report
from engine.core.state.status import Status
from engine.core.words import Mode
from engine.loop.service import Service
from engine.settings.layers import load_settings
from tests.real.home_assistant import HomeAssistant

pytestmark = [pytest.mark.real_server, pytest.mark.anyio]

POLLS_MAX = 1200
POLL_SECONDS = 0.1


class Running:
    """A service at work, seen from outside."""

    def __init__(self, service: Service, core: HomeAssistant, rows: Path) -> None:
        self.service = service
        self.core = core
        self.reports: list[Report] = []
        self._rows = rows

    def status(self) -> Status:
        return self.service.status()

    async def command(self, command: str, **parameters: Any) -> Any:
        return await anyio.to_thread.run_sync(lambda: self.core.command(command, **parameters))

    def query(self, statement: str) -> list[Any]:
        connection = apsw.Connection(str(self._rows), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return list(connection.execute(statement))
        finally:
            connection.close()

    def wreck(self, *statements: str) -> None:
        connection = apsw.Connection(str(self._rows), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(60_000)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    async def until(self, reached: Callable[[], bool]) -> None:
        for _ in range(POLLS_MAX):
            if reached():
                return
            await anyio.sleep(POLL_SECONDS)
        pytest.fail("not reached")


@asynccontextmanager
async def running(core: HomeAssistant, directory: Path, token: str = "") -> AsyncIterator[Running]:
    rows = directory / "rows.db"
    flags = {
        "source.uri": core.url,
        "rows.file": str(rows),
        "records.uri": f"history:{directory / 'history.db'}",
        "loop.retry_seconds_max": 1,
    }
    loaded = load_settings(flags, {"RECONCILE_SOURCE__TOKEN": token or core.token}, None, directory)
    reports: list[Report] = []
    with open_stores(loaded) as stores:
        service = make_service(loaded, stores, mode=Mode.APPLY, on_report=reports.append)
        made = Running(service, core, rows)
        made.reports = reports
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(service.run)
            await made.until(lambda: [r.status for r in service.status().replicas] == ["in_sync", "in_sync"])
            yield made
            tasks.cancel_scope.cancel()


async def test_a_rename_through_home_assistant_is_in_the_rows_by_itself(
    home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    async with running(home_assistant, tmp_path) as it:
        update = "config/entity_registry/update"
        await it.command(update, entity_id="light.bed_light", name="Renamed by a test")
        try:
            name = "SELECT name FROM entities WHERE entity_id = 'light.bed_light'"
            await it.until(lambda: it.query(name) == [("Renamed by a test",)])
        finally:
            await it.command(update, entity_id="light.bed_light", name=None)
        await it.until(lambda: it.query(name) == [(None,)])
        assert all(r.mode == "apply" for r in it.reports)


async def test_a_read_only_users_service_sees_areas_and_their_removal(
    fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    core = fresh_home_assistant
    token = await anyio.to_thread.run_sync(core.read_only_token)
    async with running(core, tmp_path, token) as it:
        made = await it.command("config/area_registry/create", name="Attic")
        names = "SELECT name FROM areas WHERE area_id = 'attic'"
        await it.until(lambda: it.query(names) == [("Attic",)])
        await it.command("config/area_registry/delete", area_id=made["area_id"])
        await it.until(lambda: it.query(names) == [])


async def test_a_script_that_replaces_everything_by_five_mocks_is_undone(
    home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    async with running(home_assistant, tmp_path) as it:
        devices = it.query("SELECT device_id, name FROM devices ORDER BY 1")
        values = ", ".join(f"('{number:032x}', 'Mock {number}')" for number in range(5))
        it.wreck(
            "DELETE FROM entities",
            "DELETE FROM devices",
            f"INSERT INTO devices (device_id, name) VALUES {values}",
        )
        # How soon is shown in virtual time, by tests/loop/test_replica_controller.py.
        await it.until(lambda: set(devices) <= set(it.query("SELECT device_id, name FROM devices")))
        await it.until(lambda: it.status().replicas[0].status == "out_of_sync")
        healed = next(r for r in reversed(it.reports) if len(r.records) > 5)
        assert {r.cause for r in healed.records} == {"drift", "foreign"}
        assert sum(r.cause == "foreign" for r in healed.records) == 5


async def test_a_restart_of_the_core_deletes_nothing_and_doubles_nothing(
    fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    async with running(fresh_home_assistant, tmp_path) as it:
        before = it.query("SELECT id, entity_id FROM entities ORDER BY 1")
        changes = it.query("SELECT count(*) FROM reconcile_changes")
        await anyio.to_thread.run_sync(fresh_home_assistant.stop)
        await it.until(lambda: not it.status().source.connected)
        watermark = it.status().replicas[0].synced_at
        await anyio.sleep(0.5)
        assert it.status().replicas[0].synced_at == watermark
        await anyio.to_thread.run_sync(fresh_home_assistant.start)
        await it.until(lambda: it.status().source.connected and it.status().source.state == "RUNNING")
        await it.until(lambda: (it.status().replicas[0].synced_at or 0) > (watermark or 0))
        assert it.query("SELECT id, entity_id FROM entities ORDER BY 1") == before
        assert it.query("SELECT count(*) FROM reconcile_changes") == changes


async def test_a_burst_of_twenty_thousand_entities_is_survived(
    fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    core = fresh_home_assistant
    async with running(core, tmp_path) as it:
        for part in ("One", "Two"):
            await anyio.to_thread.run_sync(partial(core.add_bulk, part, devices=1000, entities=10))
        await it.until(lambda: it.query("SELECT count(*) FROM entities")[0][0] > 20_000)
        await it.until(lambda: it.status().replicas[0].status == "in_sync")
