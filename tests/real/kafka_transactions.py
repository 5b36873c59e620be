"""A process of a fleet, frozen within a transaction: it is so when the brokers say that one is open.

    python -m tests.real.kafka_transactions HOST:PORT,HOST:PORT

answers each line with the transactional ids that have an open transaction. A process of its own, because kafka-python warns of itself when it is loaded, and a warning fails a test.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.replicas.kafka.topics import partition_of
from tests.real.kafka_fleet import Worker, WorkingFleet
from tests.service_process import ROOT

_ATTEMPTS, _STEPS, _STEP_SECONDS = 100, 10, 0.015
_ARRIVAL_SECONDS = 0.3


class OpenTransactions:
    """The process that asks."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ids(self) -> set[str]:
        """Which ones are open at this moment."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return set(json.loads(self._process.stdout.readline()))


@contextmanager
def open_transactions(servers: str) -> Iterator[OpenTransactions]:
    """Ask these brokers while the block runs."""
    command = [sys.executable, "-m", "tests.real.kafka_transactions", servers]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, text=True) as process:
        try:
            yield OpenTransactions(process)
        finally:
            process.kill()


def freeze_within_transaction(fleet: WorkingFleet, worker: Worker) -> str:
    """Freeze a process after it has sent something and before it has committed that; returns one of the homes.

    It is believed to be so only when the brokers say it after what was under way to them has arrived.
    """
    homes = {f"fleet.partition/{partition_of(name, fleet.partitions)}": name for name in worker.homes()}
    with open_transactions(fleet.servers) as transactions:
        for number in range(_ATTEMPTS):
            for name in homes.values():
                fleet.played.obey(f"rename {name} 2 freezing{number}")
            time.sleep(_STEP_SECONDS * (number % _STEPS))
            worker.send_signal(signal.SIGSTOP)
            time.sleep(_ARRIVAL_SECONDS)
            if found := homes.keys() & transactions.ids():
                return homes[min(found)]
            worker.send_signal(signal.SIGCONT)
    raise AssertionError("it was never frozen within a transaction")


def _main() -> None:
    from kafka import KafkaAdminClient  # type: ignore[import-untyped]

    admin = KafkaAdminClient(bootstrap_servers=sys.argv[1].split(","))
    for _ in sys.stdin:
        found = admin.list_transactions(state_filters=["Ongoing"])
        ids = [transaction.transactional_id for ones in found.values() for transaction in ones]
        print(json.dumps(ids), flush=True)


if __name__ == "__main__":
    _main()
