"""The service and a real InfluxDB that is killed in mid-batch, whose answers are lost, whose disk is full or lies."""

import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.home_with_influxdb import Batches, Home
from tests.real.influxdb import InfluxServer
from tests.real.influxdb2 import InfluxServer2
from tests.real.tcp_proxy import DOWN, UP, TcpProxy

pytestmark = pytest.mark.real_server

RECORDS = 205


@pytest.fixture
def home(own_influxdb: InfluxServer, tmp_path: Path) -> Iterator[Home]:
    with TcpProxy(own_influxdb.port) as proxy:
        yield Home(tmp_path, own_influxdb, proxy)


@pytest.fixture
def home2(influxdb2: InfluxServer2, tmp_path: Path) -> Iterator[Home]:
    with TcpProxy(influxdb2.port) as proxy:
        yield Home(tmp_path, influxdb2, proxy)


def check_killed_in_mid_batch(home: Home) -> None:
    """The server dies when it has read a part of the body, and returns with what it has."""
    batches = Batches(home.proxy)

    def kill(direction: str, before: int, data: bytes) -> int | None:
        if direction == DOWN or before + len(data) < 30_000:
            time.sleep(0.01)  # a slow line
            return None
        batches.meddle = None
        home.server.stop(signal.SIGKILL)
        return len(data)

    batches.meddle = kill
    since = time.time()
    with home.serve() as service:
        service.wait_for("unknown", "influxdb")
        while batches.meddle is not None:
            time.sleep(0.05)
        assert service.wait_for("in_sync", "sqlite")["error"] is None
        until = time.time()
        assert home.rows() == RECORDS
        home.server.start()
        service.wait_until_synced(time.time())
        service.check_claims(since, until, "influxdb")
    assert home.revisions() == {str(key): [1] for key in home.desired().home.records}


def test_a_server_killed_in_mid_batch_gets_it_again_and_holds_it_once(home: Home) -> None:
    check_killed_in_mid_batch(home)


@pytest.mark.optional_server
def test_a_server_2_killed_in_mid_batch_gets_it_again_and_holds_it_once(home2: Home) -> None:
    check_killed_in_mid_batch(home2)


def check_lost_answers(home: Home) -> None:
    """Every batch arrives, and what the server says to it is lost, some times in a row."""
    batches = Batches(home.proxy)
    left = 7  # more than one pass tries

    def lose(direction: str, _before: int, _data: bytes) -> int | None:
        nonlocal left
        if direction == UP or not left:
            return None
        left -= 1
        return 0

    batches.meddle = lose
    with home.serve() as service:
        while left:
            time.sleep(0.05)
        service.wait_until_synced(time.time())
    assert batches.count > 7
    assert home.revisions() == {str(key): [1] for key in home.desired().home.records}


def test_answers_that_are_lost_double_nothing(home: Home) -> None:
    check_lost_answers(home)


@pytest.mark.optional_server
def test_answers_of_a_server_2_that_are_lost_double_nothing(home2: Home) -> None:
    check_lost_answers(home2)


def test_a_line_slower_than_our_patience_is_reported_and_caught_up_with(home: Home) -> None:
    with home.serve() as service:
        service.wait_until_synced(time.time())
        home.proxy.delay_seconds = 3.0  # records.timeout_seconds is two
        since = time.time()
        home.change()
        said = service.wait_for("unknown", "influxdb")
        assert "no answer in time" in service.replica("influxdb")["error"]
        assert service.wait_for("in_sync", "sqlite")["synced_at"] > said["synced_at"]
        service.check_claims(since + 1, time.time(), "influxdb")
        home.proxy.delay_seconds = 0.0
        service.wait_until_synced(time.time())
    assert set(map(tuple, home.revisions().values())) == {(1,), (1, 2)}


def test_a_full_disk_under_the_server_is_reported_and_lost_points_are_written_again(
    home: Home,
) -> None:
    server = home.server
    with home.serve() as service:
        service.wait_until_synced(time.time())
        set_file_size_max(server, 100)
        home.change()
        since = time.time()
        service.wait_for("in_sync", "sqlite")
        # 1.6.7 shows points that it refused with a 500, and forgets them when it stops (seen 2026-11-23).
        while "file too large" not in str(service.replica("influxdb")["error"]):
            time.sleep(0.05)
        assert service.replica("influxdb")["status"] != "in_sync"
        time.sleep(3.0)  # some passes later it still is not
        assert service.replica("influxdb")["status"] != "in_sync"
        service.check_claims(since + 1, time.time(), "influxdb")
        server.stop(signal.SIGKILL)
        server.start()
        service.wait_until_synced(time.time())
    assert set(map(tuple, home.revisions().values())) == {(1,), (1, 2)}


def set_file_size_max(server: InfluxServer | InfluxServer2, size: int) -> None:
    """No file of the server may grow beyond `size` bytes: what a full disk is to it, without a disk of its own."""
    assert server._process is not None
    resource.prlimit(server._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_points_lost_in_a_torn_write_ahead_log_are_found_and_written_again(home: Home) -> None:
    server = home.server
    assert isinstance(server, InfluxServer)
    with home.serve() as service:
        service.wait_until_synced(time.time())
        server.stop(signal.SIGKILL)
        (log,) = (server.folder / "wal").rglob("*.wal")
        log.write_bytes(log.read_bytes()[:-20])
        server.start()
        # It continues at the old end of the cut file: what it confirms from now on is behind a hole.
        service.wait_until_synced(time.time())
        home.change()
        service.wait_until_synced(time.time())
        server.stop()
        since = time.time()
        server.start()
        service.wait_until_synced(since + 3)
    home.revisions()
