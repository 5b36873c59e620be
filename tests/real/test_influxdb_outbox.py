"""The service and a real InfluxDB whose batches cannot be kept, because the disk under the outbox is full."""

import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.real.home_with_influxdb import Batches, Home
from tests.real.influxdb import InfluxServer
from tests.real.small_disk import SmallDisk, mounted
from tests.real.tcp_proxy import TcpProxy
from tests.real.watched_service import WatchedService

pytestmark = pytest.mark.real_server


@pytest.fixture
def home(own_influxdb: InfluxServer, tmp_path: Path) -> Iterator[Home]:
    with TcpProxy(own_influxdb.port) as proxy:
        yield Home(tmp_path, own_influxdb, proxy)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "small", "size=4m") as disk:
        yield disk


def empty_log(file: Path) -> None:
    """Another program moves SQLite's log into the file, so that the next write needs room."""
    connection = apsw.Connection(str(file))
    connection.set_busy_timeout(60_000)
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()


def told_of_outbox(service: WatchedService) -> list[str]:
    return [line for line in service.lines if "The outbox for InfluxDB cannot be used" in line]


@pytest.mark.optional_server
def test_a_full_disk_under_the_outbox_is_reported_once_and_holds_nothing_back(
    home: Home, small_disk: SmallDisk
) -> None:
    (small_disk.folder / "outbox").touch()
    (home.folder / "rows.db.outbox").symlink_to(small_disk.folder / "outbox")
    batches = Batches(home.proxy)
    with home.serve() as service:
        service.wait_until_synced(time.time())
        empty_log(small_disk.folder / "outbox")
        small_disk.fill()
        batches.meddle = lambda *_: 0  # InfluxDB is away for every batch
        since = time.time()
        home.change()
        while not told_of_outbox(service):
            time.sleep(0.05)
        assert "the disk is full. " in told_of_outbox(service)[0]
        assert str(home.folder / "rows.db.outbox") in told_of_outbox(service)[0]
        service.wait_for("in_sync", "sqlite")
        time.sleep(3.0)  # some passes later
        assert service.replica("influxdb")["status"] != "in_sync"
        assert service.replica("influxdb")["error"]
        service.check_claims(since + 1, time.time(), "influxdb")
        batches.meddle = None
        service.wait_until_synced(time.time())  # though the disk is full still
        assert len(told_of_outbox(service)) == 1
        small_disk.make_room()
    assert set(map(tuple, home.revisions().values())) == {(1,), (1, 2)}


@pytest.mark.optional_server
def test_a_full_disk_under_rows_and_outbox_while_influxdb_is_away_loses_nothing(
    home: Home, small_disk: SmallDisk
) -> None:
    home.stores = small_disk.folder
    with home.serve() as service:
        service.wait_until_synced(time.time())
        for name in ("rows.db", "rows.db.outbox"):
            empty_log(small_disk.folder / name)
        small_disk.fill()
        home.server.stop()
        since = time.time()
        home.change()
        service.wait_for("unknown", "influxdb")
        while "the disk is full" not in str(service.replica("sqlite")["error"]):
            time.sleep(0.05)
        home.server.start()
        while not told_of_outbox(service):  # it can be written to, and is
            time.sleep(0.05)
        time.sleep(3.0)  # some passes later
        assert service.replica("sqlite")["status"] == "out_of_sync"
        assert "the disk is full" in service.replica("sqlite")["error"]
        service.check_claims(since + 1, time.time(), "sqlite")
        small_disk.make_room()
        service.wait_until_synced(time.time())
        assert len(told_of_outbox(service)) == 1
    assert set(map(tuple, home.revisions().values())) == {(1,), (1, 2)}
