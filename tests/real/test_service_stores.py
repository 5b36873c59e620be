"""The service while its stores fail: InfluxDB stopped and started under it, and a disk that fills up."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.kill.scenarios import SAMPLE, edit
from tests.real.influxdb import DATABASE, InfluxServer
from tests.real.small_disk import SmallDisk, mounted
from tests.service_process import Service, get, poll

pytestmark = pytest.mark.real_server

FAST = {"RECONCILE_LOOP__RETRY_SECONDS_MIN": "0.2", "RECONCILE_LOOP__RETRY_SECONDS_MAX": "1"}


def wreck(rows: Path, name: str) -> None:
    """What another program does to the rows; the service heals it and writes nothing to its other replica."""
    connection = apsw.Connection(str(rows))
    connection.set_busy_timeout(60_000)
    connection.execute("UPDATE devices SET name = ? WHERE name = 'Bed Light'", (name,))
    connection.close()


def replica(address: str, name: str) -> Any:
    return next(r for r in get(address, "/api/status")["replicas"] if r["replica"] == name)


def test_influxdb_stopped_and_started_under_it(own_influxdb: InfluxServer, tmp_path: Path) -> None:
    records = f"influxdb://127.0.0.1:{own_influxdb.port}/{DATABASE}?wire=v1"
    environ = {**FAST, "RECONCILE_LOOP__VERIFY_SECONDS": "1", "RECONCILE_LOOP__RELIST_SECONDS": "1"}
    service = Service(tmp_path, "--records", records, **environ)
    try:
        address = service.wait_until_serving()
        poll(address, "/api/status", "in_sync")
        own_influxdb.stop()
        poll(address, "/api/status", "unknown")
        away = replica(address, "influxdb")
        assert away["error"]
        assert replica(address, "sqlite")["status"] == "in_sync"
        wreck(tmp_path / "rows.db", "Mocked meanwhile")
        changes = get(address, "/api/changes?after=205&wait=30")["changes"]
        assert changes[0]["after"] == {"name": "Bed Light"}
        own_influxdb.start()
        poll(address, "/api/status", "in_sync")
        assert replica(address, "influxdb")["synced_at"] > away["synced_at"]
        assert service.stop()[0] == 0
    finally:
        service.process.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 3 MB of the test's own."""
    with mounted(tmp_path / "small", "size=3m") as disk:
        yield disk


@pytest.mark.optional_server
def test_a_disk_that_fills_up_is_reported_and_recovered_from(small_disk: SmallDisk) -> None:
    folder = small_disk.folder
    service = Service(folder, **FAST)
    try:
        address = service.wait_until_serving()
        poll(address, "/api/status", "in_sync")
        service.process.send_signal(signal.SIGSTOP)
        wreck(folder / "rows.db", "Mocked")
        small_disk.fill()
        service.process.send_signal(signal.SIGCONT)
        failed = poll(address, "/api/status", "out_of_sync")
        assert "full" in failed["replicas"][0]["error"]
        assert get(address, "/healthz") == {"status": "ok"}
        small_disk.make_room()
        poll(address, "/api/status", "in_sync")
        names = apsw.Connection(str(folder / "rows.db")).execute("SELECT name FROM devices").fetchall()
        assert ("Bed Light",) in names
        assert service.stop()[0] == 0
    finally:
        service.process.kill()


@pytest.mark.optional_server
def test_a_full_disk_under_the_rows_alone_leaves_the_other_store_known(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(SAMPLE, tmp_path / "source"))
    rows = small_disk.folder / "rows.db"
    stores = ("--rows", str(rows), "--records", f"history:{tmp_path / 'history.db'}")
    environ = {**FAST, "RECONCILE_LOOP__POLL_SECONDS": "0.1"}
    service = Service(tmp_path, *stores, source=f"capture:{source}", **environ)
    try:
        address = service.wait_until_serving()
        poll(address, "/api/status", "in_sync")
        connection = apsw.Connection(str(rows))
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        connection.close()
        small_disk.fill()
        edit(source, "area_registry_list", lambda areas: areas[0].update(name="Meanwhile"))
        poll(address, "/api/status", "out_of_sync")
        time.sleep(2.0)  # some passes later
        assert "full" in replica(address, "sqlite")["error"]
        assert replica(address, "sqlite")["status"] == "out_of_sync"
        assert replica(address, "history")["status"] == "in_sync"
        small_disk.make_room()
        poll(address, "/api/status", "in_sync")
        assert service.stop()[0] == 0
    finally:
        service.process.kill()
