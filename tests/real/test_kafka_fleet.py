"""Processes that share homes through a real cluster, while they and its brokers are killed, frozen and woken: nothing is lost,
and no home is written by two."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.availability import skip_or_fail
from tests.real.kafka import KafkaBroker
from tests.real.kafka_fleet import Worker, WorkingFleet, audit, working_fleet
from tests.real.kafka_jars import KafkaMissingError
from tests.real.kafka_transactions import freeze_within_transaction
from tests.service_process import wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]
_SAFE = "offsets.topic.replication.factor=3\ntransaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2"


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[KafkaBroker]]:
    made: list[KafkaBroker] = []
    with ExitStack() as running:
        try:
            for number in range(3):
                before = made[-1] if made else None
                broker = KafkaBroker(tmp_path / f"broker{number}", beside=before, more=_SAFE)
                broker.format()
                broker.start()
                running.callback(broker.stop, signal.SIGKILL)
                made.append(broker)
        except KafkaMissingError as reason:
            skip_or_fail(str(reason))
        yield made


@pytest.fixture
def fleet(tmp_path: Path, brokers: list[KafkaBroker]) -> Iterator[WorkingFleet]:
    with working_fleet(tmp_path, brokers, homes=30) as made:
        yield made


def test_homes_are_shared_and_move_whatever_happens_to_who_keeps_them(
    fleet: WorkingFleet, brokers: list[KafkaBroker]
) -> None:
    first = fleet.add_worker()
    fleet.wait_until_in_sync(first)
    second, third = fleet.add_worker(), fleet.add_worker()
    wait_until(lambda: all(worker.homes() for worker in fleet.workers), "each has some")
    fleet.wait_until_in_sync(first, second, third)
    fleet.rename_all("rename1")
    fleet.wait_until_written("rename1")

    of_second = min(second.homes())
    second.end()  # SIGKILL
    fleet.leave_behind(of_second)
    fleet.rename_all("rename2")
    fleet.wait_until_written("rename2")
    fleet.wait_until_in_sync(first, third)

    second.start()
    wait_until(second.homes, "it has some again")
    fleet.wait_until_in_sync(first, second, third)
    third.send_signal(signal.SIGSTOP)
    fleet.rename_all("rename3")
    fleet.wait_until_written("rename3")
    fleet.wait_until_in_sync(first, second)
    fleet.rename_all("rename4")
    third.send_signal(signal.SIGCONT)
    fleet.wait_until_written("rename4")
    fleet.wait_until_in_sync(first, second, third)

    _freeze_between_sending_and_committing(fleet, third)

    brokers[2].stop(signal.SIGKILL)
    fleet.rename_all("rename6")
    fleet.wait_until_written("rename6")
    fleet.wait_until_in_sync(first, second, third)
    brokers[2].start()

    third.end(signal.SIGTERM)
    fleet.wait_until_in_sync(first, second)
    assert audit(fleet, {f"rename{number}" for number in range(1, 7)}) == {}


def _freeze_between_sending_and_committing(fleet: WorkingFleet, worker: Worker) -> None:
    others = [other for other in fleet.workers if other is not worker]
    wait_until(worker.homes, "it has some again")
    fleet.wait_until_in_sync(*fleet.workers)
    home = freeze_within_transaction(fleet, worker)
    fleet.rename_all("rename5")
    fleet.wait_until_written("rename5")
    fleet.wait_until_in_sync(*others)
    assert home in fleet.kept(*others)
    worker.send_signal(signal.SIGCONT)
    fleet.wait_until_in_sync(*fleet.workers)
