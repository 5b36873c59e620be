"""The service and a real Home Assistant with a bad line between them, and a core that dies or restarts broken."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import apsw
import pytest

from tests.real.home_assistant import HomeAssistant
from tests.real.tcp_proxy import DOWN, UP, TcpProxy
from tests.real.watched_service import WatchedService

pytestmark = pytest.mark.real_server

UPDATE = "config/entity_registry/update"


@pytest.fixture
def proxy(home_assistant: HomeAssistant) -> Iterator[TcpProxy]:
    with TcpProxy(port_of(home_assistant)) as made:
        yield made


def port_of(core: HomeAssistant) -> int:
    port = urlsplit(core.url).port
    assert port is not None
    return port


def serve(folder: Path, core: HomeAssistant, port: int) -> WatchedService:
    return WatchedService(folder, source=f"ws://127.0.0.1:{port}", RECONCILE_SOURCE__TOKEN=core.token)


def ask(folder: Path, statement: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(folder / "rows.db"), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(60_000)
    try:
        return list(connection.execute(statement))
    finally:
        connection.close()


def deletes(folder: Path) -> int:
    return len(ask(folder, "SELECT 1 FROM reconcile_changes WHERE op = 'd'"))


def name_of_bed_light(folder: Path) -> object:
    return ask(folder, "SELECT name FROM entities WHERE entity_id = 'light.bed_light'")[0][0]


def test_a_slow_line_only_takes_longer(
    home_assistant: HomeAssistant, proxy: TcpProxy, tmp_path: Path
) -> None:
    proxy.delay_seconds = 0.05
    with serve(tmp_path, home_assistant, proxy.port) as service:
        service.wait_for("in_sync")
        home_assistant.command(UPDATE, entity_id="light.bed_light", name="Slowly")
        try:
            service.wait_until_synced(time.time())
            assert name_of_bed_light(tmp_path) == "Slowly"
        finally:
            home_assistant.command(UPDATE, entity_id="light.bed_light", name=None)
    assert deletes(tmp_path) == 0


def test_an_answer_that_is_cut_anywhere_is_no_smaller_home(
    home_assistant: HomeAssistant, proxy: TcpProxy, tmp_path: Path
) -> None:
    passed: dict[int, int] = {}  # bytes to the client, by connection
    limits: list[int] = []

    def cut(direction: str, data: bytes) -> int | None:
        if direction == UP:
            return None
        number = proxy.connections
        before = passed.get(number, 0)
        passed[number] = before + len(data)
        if not limits or passed[number] <= limits[0]:
            return None
        return limits.pop(0) - before

    proxy.decide = cut
    with serve(tmp_path, home_assistant, proxy.port) as service:
        service.wait_for("in_sync")
        whole = passed[1]
        # Each of the next connections breaks after so many bytes: in the login, between and within the lists.
        limits += [0, 60, 300, *(whole * part // 100 for part in (5, 10, 20, 30, 40, 50, 60))]
        since = time.time()
        proxy.reset()
        while limits:
            until = time.time()
            time.sleep(0.05)
        service.wait_until_synced(time.time())
        service.check_claims(since, until)
    assert deletes(tmp_path) == 0
    assert len(ask(tmp_path, "SELECT 1 FROM entities")) == len(
        home_assistant.command("config/entity_registry/list")
    )


@pytest.mark.parametrize("directions", [(UP, DOWN), (UP,), (DOWN,)], ids=["both", "up", "down"])
def test_a_line_on_which_nothing_arrives_is_noticed_and_claims_stop(
    home_assistant: HomeAssistant, proxy: TcpProxy, tmp_path: Path, directions: tuple[str, ...]
) -> None:
    with serve(tmp_path, home_assistant, proxy.port) as service:
        service.wait_for("in_sync")
        proxy.held = frozenset(directions)
        since = time.time()
        home_assistant.command(UPDATE, entity_id="light.bed_light", name="Unheard")
        try:
            service.wait_for("unknown")
            while service.status()["source"]["connected"]:
                time.sleep(0.05)
            assert name_of_bed_light(tmp_path) is None
            service.wait_until_asked(since)
            service.check_claims(since, time.time())
            proxy.held = frozenset()
            proxy.reset()
            service.wait_until_synced(time.time())
            assert name_of_bed_light(tmp_path) == "Unheard"
        finally:
            home_assistant.command(UPDATE, entity_id="light.bed_light", name=None)
    assert deletes(tmp_path) == 0


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_half_closed_connection_is_opened_again(
    home_assistant: HomeAssistant, proxy: TcpProxy, tmp_path: Path, direction: str
) -> None:
    with serve(tmp_path, home_assistant, proxy.port) as service:
        service.wait_for("in_sync")
        before = proxy.connections
        proxy.close_half(direction)
        home_assistant.command(UPDATE, entity_id="light.bed_light", name="Meanwhile")
        try:
            service.wait_until_synced(time.time())
            assert name_of_bed_light(tmp_path) == "Meanwhile"
            assert proxy.connections > before
        finally:
            home_assistant.command(UPDATE, entity_id="light.bed_light", name=None)
    assert deletes(tmp_path) == 0


def test_a_row_that_a_killed_core_forgot_goes_only_when_the_core_reports_its_removal(
    fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    core = fresh_home_assistant
    core.flush_storage()
    with serve(tmp_path, core, port_of(core)) as service:
        service.wait_for("in_sync")
        # Kept in memory for ten seconds before it is written to .storage.
        core.command("config/area_registry/create", name="Attic")
        service.wait_until_synced(time.time())
        since = time.time()
        core.kill()
        assert ask(tmp_path, "SELECT name FROM areas WHERE area_id = 'attic'")
        service.wait_for("unknown")
        assert ask(tmp_path, "SELECT name FROM areas WHERE area_id = 'attic'")
        service.wait_until_asked(since)
        service.check_claims(since, time.time())
        core.start()
        service.wait_until_synced(time.time())
        areas = {row["area_id"] for row in core.command("config/area_registry/list")}
        assert "attic" not in areas
        assert {id_ for (id_,) in ask(tmp_path, "SELECT area_id FROM areas")} == areas
    assert deletes(tmp_path) == 1


def test_recovery_mode_under_the_service_holds_everything_and_claims_nothing(
    fresh_home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    core = fresh_home_assistant
    with serve(tmp_path, core, port_of(core)) as service:
        service.wait_for("in_sync")
        before = ask(tmp_path, "SELECT area_id FROM areas ORDER BY 1")
        core.stop()
        since = time.time()
        # 2024.3.3 lists in recovery mode what its files hold: they shall hold something else.
        file = core.storage_dir / "core.area_registry"
        stored = json.loads(file.read_text())
        stored["data"]["areas"] = [area for area in stored["data"]["areas"] if area["id"] != "kitchen"]
        file.write_text(json.dumps(stored))
        core.start_broken()
        said = service.wait_for("blocked")
        assert {guard["guard"] for guard in said["guards"]} == {"recovery_mode"}
        assert ask(tmp_path, "SELECT area_id FROM areas ORDER BY 1") == before
        assert deletes(tmp_path) == 0
        service.check_claims(since, time.time())
        core.repair_configuration()
        service.wait_until_synced(time.time())
        assert ("kitchen",) not in ask(tmp_path, "SELECT area_id FROM areas")
    assert deletes(tmp_path) == 1
