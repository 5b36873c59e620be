"""Records in a real Kafka: filling the topics, reading them to their end, and from an operation to a committed event.

    python -m bench.stores.bench_kafka [--records 20000]       # needs Java, and the jars (python -m tests.real.kafka_jars)

Input: a seeded home. Method: a broker of our own on a loopback port, one partition and one replica. CPU seconds are those of
this process, in all its threads: what the broker needs, and what else the machine does, is not in them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from bench.figures import Figure, publish
from bench.registries import make_home, records_of, snapshot_of
from engine.claims import LastingClaim
from engine.core.compare.diff import compare
from engine.core.compare.plan import make_plan
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Device
from engine.ports import Run
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.open import open_kafka
from engine.replicas.kafka.records import KafkaRecords
from tests.real.kafka import KafkaBroker, running_kafka

SITE = "home"
CHANGES = 100
REPLAY_CPU_MAX, COMMIT_P50_MAX = 1.5, 150.0


class KafkaStand:
    """One home on one broker, without ledger or loop: it compares, plans and writes."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._access = Access(parse_address(broker.uri("bench", partitions=1)), timeout_seconds=120)
        self.replica = self.open()
        self._applied: dict[object, str] = {}

    def open(self) -> KafkaRecords:
        """The home as another process opens it."""
        claim = LastingClaim(SITE, "bench@1")
        return open_kafka(self._access, site=SITE, claim=claim, verify_seconds=3600)

    def apply(self, before: Snapshot, after: Snapshot) -> int:
        """Write what differs between two homes; returns the number of operations."""
        diff = compare(after.home.hashes, before.home.hashes, before.home.hashes, after.reading.registries)
        plan = make_plan("kafka", diff, after, {}, with_derived=False, prune_foreign=False)
        run = Run(f"run-{time.time_ns()}", time.time(), "bench", "2026.11.0", after.home.hashes)
        self.replica.apply(plan.operations, run)
        return len(plan.operations)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds and CPU seconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(broker: KafkaBroker, size: int) -> list[Figure]:
    """All figures of one broker."""
    stand = KafkaStand(broker)
    home = snapshot_of(records_of(make_home(size)))
    text = f"{len(home.home.records):,} records"
    nothing = snapshot_of([])
    stand.replica.observe()
    wall, cpu = timed(lambda: stand.apply(nothing, home))
    figures = [
        Figure(name="first fill", size=text, value=wall, unit="s"),
        Figure(name="first fill", size=text, value=cpu, unit="CPU s"),
    ]
    stand.replica.close()
    looks = []
    for _ in range(5):
        other = stand.open()
        looks.append(timed(other.observe))
        assert other.observe().versions == home.home.hashes
        other.close()
    figures += [
        Figure(name="replay and hash", size=text, value=median(w for w, _ in looks), unit="s"),
        Figure(
            name="replay and hash",
            size=text,
            value=median(c for _, c in looks),
            unit="CPU s",
            budget=REPLAY_CPU_MAX,
        ),
    ]
    stand.replica.observe()
    device = next(record for record in home.home.records.values() if isinstance(record, Device))
    commits, before = [], snapshot_of([device])
    for number in range(CHANGES):
        after = snapshot_of([msgspec.structs.replace(device, sw_version=f"1.{number}")])
        commits.append(timed(partial(stand.apply, before, after)))
        before = after
    note = f"{CHANGES} commits"
    figures += [
        Figure(
            name="operation to committed and read back, p50",
            size=text,
            value=median(w for w, _ in commits) * 1000,
            unit="ms",
            budget=COMMIT_P50_MAX,
            note=note,
        ),
        Figure(
            name="operation to committed and read back, p50",
            size=text,
            value=median(c for _, c in commits) * 1000,
            unit="CPU ms",
            note=note,
        ),
    ]
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory, running_kafka(Path(directory)) as broker:
        figures = measure(broker, given.records)
    publish("kafka", figures)


if __name__ == "__main__":
    main()
