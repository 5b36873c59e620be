"""Looks over both wires, on InfluxDB 1.8 and on 2.x, taken in turn; and how many requests a pass makes.

    RECONCILE_TEST_INFLUXD1=... RECONCILE_TEST_INFLUXD=... python -m bench.stores.influxdb_wires [--records 20000] [--rounds 3]

Input: as in `bench_influxdb`. The rounds alternate between all servers and wires, so that the machine's other load
affects all of them; the worst of each is printed, because it has to stay below the timeout.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from bench.figures import Figure, publish
from bench.registries import make_home, records_of, snapshot_of
from bench.stores.bench_influxdb import SITE, CountingWire
from engine.core.compare.diff import compare
from engine.core.compare.plan import make_plan
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.ports import Run
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.wires.http import Credentials
from tests.real.influxdb import running_influxdb
from tests.real.influxdb2 import own_influxdb2


class Place(NamedTuple):
    """A server over one wire."""

    name: str
    wire: CountingWire

    def replica(self) -> InfluxRecords:
        """As a new process opens it."""
        options = InfluxOptions(site=SITE)
        return InfluxRecords(cast("Any", self.wire), options, outbox=None, clock=time.time, sleep=time.sleep)

    def reconcile(self, desired: Snapshot, applied: dict[Key, str]) -> float:
        """One pass of a command; returns its seconds."""
        started = time.perf_counter()
        replica = self.replica()
        diff = compare(desired.home.hashes, replica.observe().versions, applied, desired.reading.registries)
        stored = replica.read([d.key for d in diff.differences if d.observed])
        plan = make_plan("influxdb", diff, desired, stored, with_derived=False, prune_foreign=False)
        run = Run(
            f"run-{time.time_ns()}", time.time(), "bench", "2026.11.0", desired.home.hashes, None, desired
        )
        replica.apply(plan.operations, run)
        replica.upkeep(desired, run)
        return time.perf_counter() - started


@contextmanager
def places() -> Iterator[list[Place]]:
    """Both servers over both wires. Raises InfluxMissingError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        old = stack.enter_context(running_influxdb(folder / "1", version="1.8"))
        new = stack.enter_context(own_influxdb2(folder / "2"))
        found = []
        for name, uri, credentials in (("1.8", old.uri, Credentials()), ("2.x", new.uri, new.credentials)):
            bare = uri.partition("wire=")[0]
            for wire in ("v1", "v2") if name == "1.8" else ("v1", "v2", "auto"):
                opened = open_wire(f"{bare}wire={wire}", credentials, timeout_seconds=120)
                found.append(Place(f"{name} over {wire}", CountingWire(opened)))
        yield found


def measure(size: int, rounds: int) -> Iterator[Figure]:
    """All figures."""
    entities = f"{size:,} entities"
    before = snapshot_of(records_of(make_home(size)))
    after = snapshot_of(records_of(make_home(size, changed=200 / size)))
    with places() as found:
        for place in (place for place in found if place.name.endswith("over v1")):
            seconds = place.reconcile(before, {})
            yield Figure(name=f"first fill, {place.name}", size=entities, value=seconds, unit="s")
        looks: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for verify in (False, True):
                for place in found:
                    replica = place.replica()
                    started = time.perf_counter()
                    replica.observe(verify=verify)
                    kind = "verifying" if verify else "plain"
                    looks.setdefault((place.name, kind), []).append(time.perf_counter() - started)
        for (name, kind), taken in looks.items():
            yield Figure(
                name=f"{kind} look, {name}",
                size=entities,
                value=max(taken),
                unit="s",
                note=f"best {min(taken):.2f} s",
                runs=len(taken),
            )
        # Each server gets the changes once over each wire: there, and back again.
        turns = {name: itertools.cycle(((before, after), (after, before))) for name in ("1.8", "2.x")}
        for place in found:
            old, new = next(turns[place.name[:3]])
            place.wire.calls.clear()
            seconds = place.reconcile(new, dict(old.home.hashes))
            calls = ", ".join(f"{name}: {count}" for name, count in sorted(place.wire.calls.items()))
            yield Figure(
                name=f"200 changes, {place.name}", size=entities, value=seconds, unit="s", note=calls
            )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    publish("influxdb_wires", list(measure(given.records, given.rounds)))


if __name__ == "__main__":
    main()
