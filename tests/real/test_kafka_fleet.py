"""Processes that share homes through a real cluster, while they and its brokers are killed, frozen and woken: nothing is lost,
and no home is written by two."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.availability import skip_or_fail
from tests.real.kafka import KafkaBroker
from tests.real.kafka_fleet import Worker, WorkingFleet, audit, working_fleet
from tests.real.kafka_jars import KafkaMissingError
from tests.real.kafka_second_way import SecondWay, second_way
from tests.real.kafka_transactions import freeze_within_transaction
from tests.service_process import wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]
_SAFE = "offsets.topic.replication.factor=3\ntransaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2"


HOMES_VARIABLE = "RECONCILE_TEST_FLEET_HOMES"  # for a release: 1000, of 164 entities each
_HOMES = int(os.environ.get(HOMES_VARIABLE, "60"))
_IS_LARGE = _HOMES > 60


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[KafkaBroker]]:
    made: list[KafkaBroker] = []
    try:
        for number in range(3):
            before = made[-1] if made else None
            made.append(KafkaBroker(tmp_path / f"broker{number}", beside=before, more=_SAFE))
    except KafkaMissingError as reason:
        skip_or_fail(str(reason))
    yield made
    for broker in made:
        broker.stop(signal.SIGKILL)


@pytest.fixture
def cable(brokers: list[KafkaBroker]) -> Iterator[SecondWay]:
    """What joins one of the processes to the brokers, which run now."""
    with second_way(brokers) as made:
        for broker in brokers:
            broker.format()
            broker.start()
        yield made


@pytest.fixture
def fleet(tmp_path: Path, brokers: list[KafkaBroker], cable: SecondWay) -> Iterator[WorkingFleet]:
    assert cable.servers
    size = {"entities": 164, "partitions": 48, "relist_seconds": 600} if _IS_LARGE else {}
    with working_fleet(tmp_path, brokers, homes=_HOMES, **size) as made:
        yield made


@pytest.mark.timeout(7200 if _IS_LARGE else 600)
def test_homes_are_shared_and_move_after_any_failure_of_their_owner(
    fleet: WorkingFleet, brokers: list[KafkaBroker], cable: SecondWay
) -> None:
    """Each fault once; after each of them all homes are in sync, each with one process, and what changed meanwhile is in Kafka."""
    first = fleet.add_worker()
    fleet.wait_until_in_sync(first)
    own_files = Path(shutil.copytree(fleet.folder / "sites.d", fleet.folder / "other-sites.d"))
    second, third = fleet.add_worker(directory=own_files), fleet.add_worker(servers=cable.servers)
    wait_until(lambda: all(worker.homes() for worker in fleet.workers), "each has some")
    changes = Changes(fleet)
    changes.are_written()

    _kill_a_process(fleet, second, changes)
    _freeze_a_process(fleet, third, changes)
    _freeze_between_sending_and_committing(fleet, second, changes)
    _cut_off_from_kafka(fleet, third, cable, changes)
    _differ_in_settings(fleet, second, own_files, changes)
    _freeze_a_broker(brokers[2], changes)
    _kill_a_broker(brokers[2], changes)
    fleet.played.obey("kick")  # all homes are lost, and return at once
    changes.are_written()

    third.end(signal.SIGTERM)
    fleet.wait_until_in_sync(first, second)
    assert audit(fleet, changes.made) == {}


class Changes:
    """In each home the same record gets another name, again and again."""

    def __init__(self, fleet: WorkingFleet) -> None:
        self._fleet = fleet
        self.made: set[str] = set()

    def are_written(self, *keepers: Worker) -> None:
        """Change all homes; returns when Kafka has it and these processes (all of them) keep all homes in sync."""
        text = f"rename{len(self.made):02}"
        self.made.add(text)
        self._fleet.rename_all(text)
        self._fleet.wait_until_written(text)
        self._fleet.wait_until_in_sync(*(keepers or self._fleet.workers))


def _others(fleet: WorkingFleet, worker: Worker) -> list[Worker]:
    return [other for other in fleet.workers if other is not worker]


def _has_homes_again(worker: Worker, changes: Changes) -> None:
    wait_until(worker.homes, "it has some again")
    changes.are_written()


def _kill_a_process(fleet: WorkingFleet, worker: Worker, changes: Changes) -> None:
    home = min(worker.homes())
    worker.end(signal.SIGKILL)
    fleet.leave_behind(home)
    changes.are_written(*_others(fleet, worker))
    worker.start()
    _has_homes_again(worker, changes)


def _freeze_a_process(fleet: WorkingFleet, worker: Worker, changes: Changes) -> None:
    worker.send_signal(signal.SIGSTOP)
    changes.are_written(*_others(fleet, worker))
    worker.send_signal(signal.SIGCONT)
    _has_homes_again(worker, changes)


def _freeze_between_sending_and_committing(fleet: WorkingFleet, worker: Worker, changes: Changes) -> None:
    home = freeze_within_transaction(fleet, worker)
    changes.are_written(*_others(fleet, worker))
    assert home in fleet.kept(*_others(fleet, worker))
    worker.send_signal(signal.SIGCONT)
    _has_homes_again(worker, changes)


def _cut_off_from_kafka(fleet: WorkingFleet, worker: Worker, cable: SecondWay, changes: Changes) -> None:
    """It reaches its homes, and no broker: it releases them by itself, and the others have them."""
    cable.interrupt()
    changes.are_written(*_others(fleet, worker))
    wait_until(lambda: not worker.homes(), "it has let go of its homes")
    cable.restore()
    _has_homes_again(worker, changes)


def _differ_in_settings(fleet: WorkingFleet, worker: Worker, files: Path, changes: Changes) -> None:
    """One process lacks the file of a home that it owns: it is reported, and no other home is affected."""
    home = min(worker.homes())
    file, text = files / f"{home}.toml", (files / f"{home}.toml").read_text(encoding="utf-8")
    file.unlink()
    wait_until(lambda: fleet.status()["unconfigured"] == [home], "it is unconfigured")
    kept = {name for other in fleet.workers for name, status in other.homes().items() if status == "in_sync"}
    assert kept == {*fleet.names} - {home}
    file.write_text(text, encoding="utf-8")
    changes.are_written()


def _freeze_a_broker(broker: KafkaBroker, changes: Changes) -> None:
    broker.send_signal(signal.SIGSTOP)
    changes.are_written()
    broker.send_signal(signal.SIGCONT)
    changes.are_written()


def _kill_a_broker(broker: KafkaBroker, changes: Changes) -> None:
    broker.stop(signal.SIGKILL)
    changes.are_written()
    broker.start()
    changes.are_written()
