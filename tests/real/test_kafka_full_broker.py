"""A fleet whose broker's disk is full: its homes report it, and pending changes are written once there is room."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_fleet import WorkingFleet, working_fleet
from tests.real.small_disk import SmallDisk, mounted
from tests.service_process import get, wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "disk", "size=128m") as made:
        yield made


@pytest.fixture
def broker(disk: SmallDisk) -> Iterator[KafkaBroker]:
    with kafka_or_skip(disk.folder / "kafka") as found:
        yield found


@pytest.fixture
def fleet(tmp_path: Path, broker: KafkaBroker) -> Iterator[WorkingFleet]:
    with working_fleet(tmp_path, [broker], homes=4, partitions=2) as made:
        yield made


def test_changes_during_a_full_disk_of_the_broker_are_written_when_it_has_room(
    fleet: WorkingFleet, broker: KafkaBroker, disk: SmallDisk
) -> None:
    worker = fleet.add_worker()
    fleet.wait_until_in_sync(worker)
    disk.fill()
    for number in range(10):
        fleet.rename_all(f"{number}{'x' * 20_000}")
    fleet.rename_all("Later")
    log = fleet.folder / "worker0" / "log"
    wait_until(lambda: "in_sync" not in worker.homes().values(), f"no home claims to be: {worker.homes()}")
    wait_until(lambda: "Kafka at" in log.read_text(encoding="utf-8"), "the log says why")
    assert get(worker.address, "/healthz") == {"status": "ok"}
    disk.make_room()
    broker.stop(signal.SIGKILL)
    broker.start()
    fleet.wait_until_written("Later")
    fleet.wait_until_in_sync(worker)
