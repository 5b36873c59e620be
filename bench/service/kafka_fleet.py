"""Homes that several processes share through Kafka: the time until all are in sync, their cost, and the duration of changes and takeovers.

    python -m bench.service.kafka_fleet [--homes 1000] [--entities 164] [--workers 2]     # needs Java, and the jars

Input: seeded homes of one size (`tests.fakes.many_homes`), brokers of our own on loopback ports, empty topics. Method: processes of
`reconcile serve`, whose threads, memory and CPU are read from /proc; a consumer of the change feed that reports when a rename
was committed; then `kill -9` of a process, timed for each home until another process has it in sync, and of a broker.
The CPU of a take-over is all that the other processes use until then, also for the homes that they keep already.
Budgets at 1,000 homes x 164 on two idle cores (issue 19): 120 s, 150 ms, the session and 30 s, 20 s.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from bench.figures import Figure, publish
from tests.real.kafka import KafkaBroker
from tests.real.kafka_fleet import Worker, WorkingFleet, changes_topic, event_in, name_in, working_fleet
from tests.service_process import get

SESSION_SECONDS = 6
_SYNC_MAX, _EVENT_MAX, _TAKE_OVER_MAX, _BROKER_MAX = 120.0, 150.0, SESSION_SECONDS + 30.0, 20.0
_RENAMES = 60
_WAIT_SECONDS_MAX = 600.0
_LOOK_SECONDS = 1.0  # each look asks for the status of all homes, which costs what is measured
_TICKS = os.sysconf("SC_CLK_TCK")
_SAFE = "offsets.topic.replication.factor=3\ntransaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2"


def cpu_seconds(worker: Worker) -> float:
    """CPU that a process used so far."""
    fields = Path(f"/proc/{worker.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def status_number(worker: Worker, name: str) -> int:
    """A number of /proc: VmRSS in KiB, Threads."""
    lines = Path(f"/proc/{worker.process.pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def in_sync(workers: Sequence[Worker]) -> int:
    """How many homes they keep in sync."""
    return sum(get(w.address, "/api/sites?limit=1")["by_status"].get("in_sync", 0) for w in workers)


def wait_until_in_sync(fleet: WorkingFleet, workers: Sequence[Worker]) -> float:
    """Seconds until these keep all homes in sync."""
    began = time.monotonic()
    while (count := in_sync(workers)) < len(fleet.names):
        assert time.monotonic() - began < _WAIT_SECONDS_MAX, f"{count} of {len(fleet.names)} in sync"
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


@contextmanager
def committed(fleet: WorkingFleet) -> Iterator[dict[str, float]]:
    """When new names were to be read as committed, by name, while the block runs."""
    seen: dict[str, float] = {}
    consumer = Consumer(
        {
            "bootstrap.servers": fleet.servers,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(changes_topic(), p, OFFSET_END) for p in range(fleet.partitions)])
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            message = consumer.poll(0.1)
            if message is not None and message.error() is None and (name := name_in(event_in(message))):
                seen.setdefault(name, time.time())

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(2)  # until it reads
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
        consumer.close()


def delays(
    fleet: WorkingFleet,
    label: str,
    count: int,
    gap_seconds: float,
    begin: Callable[[], object] = lambda: None,
) -> list[float]:
    """From renames to their events, ms, in the order of the renames; homes take turns. `begin` comes just before."""
    with committed(fleet) as seen:
        begin()
        for number in range(count):
            home = fleet.names[number % len(fleet.names)]
            fleet.played.obey(f"rename {home} {number} {label}{number}")
            time.sleep(gap_seconds)
        wanted = [f"{label}{number}" for number in range(count)]
        until = time.monotonic() + 120
        while (missing := set(wanted) - seen.keys()) and time.monotonic() < until:
            time.sleep(0.1)
        assert not missing, f"{len(missing)} renames did not arrive"
        moments = fleet.played.obey("moments")
        return [(seen[name] - moments[name]) * 1000 for name in wanted]


def taken_over(fleet: WorkingFleet, killed: Worker, others: Sequence[Worker]) -> list[float]:
    """Seconds until others have each home of a killed process in sync, sorted."""
    lost = set(killed.homes())
    before = time.monotonic()
    killed.end(signal.SIGKILL)
    done: dict[str, float] = {}
    while len(done) < len(lost):
        assert time.monotonic() - before < _WAIT_SECONDS_MAX, f"{len(done)} of {len(lost)} taken over"
        time.sleep(_LOOK_SECONDS)
        for name, status in fleet.kept(*others).items():
            if name in lost and status == "in_sync":
                done.setdefault(name, time.monotonic() - before)
    return sorted(done.values())


def measure(fleet: WorkingFleet, brokers: Sequence[KafkaBroker], workers: int, size: str) -> Iterator[Figure]:
    """All figures of one size."""
    kept = [fleet.add_worker() for _ in range(workers)]
    seconds, cpu = wait_until_in_sync(fleet, kept), sum(map(cpu_seconds, kept))
    homes = len(fleet.names)
    yield Figure(name="empty to all in sync", size=size, value=seconds, unit="s", budget=_SYNC_MAX)
    yield Figure(name="start, CPU per home", size=size, value=cpu * 1000 / homes, unit="ms")
    time.sleep(15)
    before, at = sum(map(cpu_seconds, kept)), time.monotonic()
    time.sleep(20)
    idle = (sum(map(cpu_seconds, kept)) - before) / (time.monotonic() - at)
    yield Figure(name="rest, CPU per home", size=size, value=idle * 100 / homes, unit="%")
    threads, mebibytes = (max(status_number(w, name) for w in kept) for name in ("Threads", "VmRSS"))
    yield Figure(name="threads of a process, most", size=size, value=threads, unit="")
    yield Figure(name="memory of a process, most", size=size, value=mebibytes / 1024, unit="MiB")
    event = delays(fleet, "calm", _RENAMES, 0.3)
    yield Figure(name="event to Kafka, p50", size=size, value=median(event), unit="ms", budget=_EVENT_MAX)
    yield Figure(name="event to Kafka, worst", size=size, value=max(event), unit="ms")
    before = sum(map(cpu_seconds, kept[:-1]))
    moved = taken_over(fleet, kept[-1], kept[:-1])
    cpu = sum(map(cpu_seconds, kept[:-1])) - before
    yield Figure(name="take-over, first", size=size, value=moved[0], unit="s", note=f"{len(moved)} homes")
    yield Figure(name="take-over, CPU per home", size=size, value=cpu * 1000 / len(moved), unit="ms")
    p99 = quantiles(moved, n=100)[98] if len(moved) > 1 else moved[0]
    yield Figure(name="take-over, p99", size=size, value=p99, unit="s", budget=_TAKE_OVER_MAX)
    if len(brokers) > 1:
        event = delays(fleet, "lost", 20, 0.0, lambda: brokers[-1].stop(signal.SIGKILL))
        lost = max(event) / 1000
        yield Figure(name="broker killed, last of 20", size=size, value=lost, unit="s", budget=_BROKER_MAX)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=1_000)
    parser.add_argument("--entities", type=int, default=164)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=48)
    given = parser.parse_args()
    size = f"{given.homes} homes x {given.entities}, {given.workers} processes, {given.partitions} partitions"
    figures: list[Figure] = []
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        brokers: list[KafkaBroker] = []
        for number in range(given.brokers):
            broker = KafkaBroker(
                folder / f"broker{number}",
                beside=brokers[-1] if brokers else None,
                more=_SAFE if given.brokers > 2 else "",
            )
            broker.format()
            broker.start()
            running.callback(broker.stop, signal.SIGKILL)
            brokers.append(broker)
        fleet = running.enter_context(
            working_fleet(
                folder,
                brokers,
                homes=given.homes,
                entities=given.entities,
                partitions=given.partitions,
                relist_seconds=3600,
            )
        )
        try:
            for figure in measure(fleet, brokers, given.workers, size):
                print(figure.name, figure.value, figure.unit, flush=True)
                figures.append(figure)
        finally:
            publish("kafka_fleet", figures)


if __name__ == "__main__":
    main()
