"""Records in a real InfluxDB 1.x: reading the newest hash of each, encoding, and how many requests a pass needs.

    python -m bench.stores.bench_influxdb [--records 20000]       # needs influxd (Debian: apt-get install influxdb)

Input: a seeded home; every entity has one point, those changed two. Method: a server of our own on a loopback
port; the plain scan is the least that any reader must do: one bounded SELECT of id and hash, chunked, each row
into a dict. Requests are counted at the wire: data requests are writes and scans for the changed records,
markers are the two lines that enclose a run.
"""

import argparse
import http.client
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, cast
from urllib.parse import urlencode

import anyio
import msgspec

from bench.figures import Case, Figure, publish, ratio, take_rounds
from bench.registries import make_home, records_of, snapshot_of
from engine.core.compare.diff import compare
from engine.core.compare.plan import make_plan
from engine.core.home.snapshot import Snapshot
from engine.core.records.record_json import encode_record
from engine.ports import Run
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.schema.points import MEASUREMENTS, Point, encode_point
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.wire import Wire
from tests.real.influxdb import DATABASE, InfluxServer, running_influxdb

SITE = "home"
SCAN_MAX, LINES_MIN, REQUESTS_MAX = 1.3, 200_000.0, 2
_MEASUREMENTS = ",".join(f'"{measurement}"' for measurement in MEASUREMENTS)
_PLAIN = f"""SELECT "id","hash" FROM {_MEASUREMENTS} WHERE "site"='{SITE}' AND time > now() - 7d"""  # noqa: S608 (our names)


class CountingWire:
    """Counts the requests of a wire, and how often a write or a scan is about run markers only."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        """The wire's own, counted when it is called."""
        found = getattr(self._wire, name)
        return self._counted(name, found) if callable(found) else found

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            self.calls[f"{name} of markers" if "ha_run" in repr(args)[:400] else name] += 1
            return function(*args, **more)

        return call


class Stand:
    """One replica on one server, without ledger or loop: it compares, plans and writes."""

    def __init__(self, server: InfluxServer) -> None:
        self.server = server
        self.wire = CountingWire(open_wire(server.uri, Credentials(), timeout_seconds=60))
        self.replica = InfluxRecords(
            cast("Wire", self.wire), InfluxOptions(site=SITE), outbox=None, clock=time.time, sleep=time.sleep
        )
        self._applied: dict[Any, str] = {}

    def reconcile(self, desired: Snapshot) -> int:
        """One pass; returns the number of operations."""
        observed = self.replica.observe().versions
        diff = compare(desired.home.hashes, observed, self._applied, desired.reading.registries)
        stored = self.replica.read([d.key for d in diff.differences if d.observed])
        plan = make_plan("influxdb", diff, desired, stored, with_derived=False, prune_foreign=False)
        run = Run(f"run-{time.time_ns()}", time.time(), "bench", "2026.11.0", desired.home.hashes)
        self.replica.apply(plan.operations, run)
        self.replica.upkeep(desired, run)
        self._applied = dict(desired.home.hashes)
        return len(plan.operations)

    async def plain_scan(self) -> float:
        """The least that reading the newest hashes costs."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        query = urlencode({"db": DATABASE, "epoch": "ns", "chunked": "true", "q": _PLAIN})
        started = time.perf_counter()
        connection.request("POST", f"/query?{query}")
        newest: dict[str, str] = {}
        for line in connection.getresponse().read().splitlines():
            for series in msgspec.json.decode(line)["results"][0].get("series", ()):
                newest |= {id_: hash_ for _, id_, hash_ in series["values"]}
        seconds = time.perf_counter() - started
        connection.close()
        return seconds

    async def observe_hashes(self) -> float:
        """What the replica does between verifying looks."""
        started = time.perf_counter()
        self.replica.observe(verify=False)
        return time.perf_counter() - started

    async def observe_payloads(self) -> float:
        """What it does when it trusts nothing."""
        started = time.perf_counter()
        self.replica.observe(verify=True)
        return time.perf_counter() - started


def measure(server: InfluxServer, size: int) -> list[Figure]:
    """All figures of one server."""
    stand = Stand(server)
    before = snapshot_of(records_of(make_home(size)))
    after = snapshot_of(records_of(make_home(size, changed=200 / size)))
    text = f"{size:,} entities"
    started = time.perf_counter()
    stand.reconcile(before)
    figures = [Figure(name="first fill", size=text, value=time.perf_counter() - started, unit="s")]
    cases: dict[str, Case] = {
        "plain bounded scan": stand.plain_scan,
        "newest hash of each": stand.observe_hashes,
        "newest payload of each, hashed again": stand.observe_payloads,
    }
    taken = anyio.run(take_rounds, cases, 7)
    figures += [Figure(name=n, size=text, value=median(s) * 1000, unit="ms") for n, s in taken.items()]
    scan = ratio(taken, "newest hash of each", "plain bounded scan")
    figures.append(
        Figure(name="newest hash of each", size=text, value=scan, unit="x plain scan", budget=SCAN_MAX)
    )
    figures += _pass_figures(stand, after, text)
    figures.append(_encoding(before, text))
    return figures


def _pass_figures(stand: Stand, after: Snapshot, text: str) -> list[Figure]:
    figures = []
    for what, budget in (("pass with 200 changes", REQUESTS_MAX), ("pass without changes", 0)):
        stand.wire.calls.clear()
        started = time.perf_counter()
        operations = stand.reconcile(after)
        seconds = time.perf_counter() - started
        calls = dict(sorted(stand.wire.calls.items()))
        note = ", ".join(f"{name}: {count}" for name, count in calls.items())
        size = f"{text}, {operations} operations"
        figures.append(Figure(name=what, size=size, value=seconds * 1000, unit="ms", note=note))
        counted = ("write",) if budget == 0 else ("write", "scan")
        unit = "data writes" if budget == 0 else "data requests"
        requests = float(sum(calls.get(name, 0) for name in counted))
        figures.append(Figure(name=what, size=size, value=requests, unit=unit, budget=budget))
    return figures


def _encoding(desired: Snapshot, text: str) -> Figure:
    points = [
        Point(
            key, 1_795_435_200_000_000_000 + n, "update", 3, desired.home.hashes[key], encode_record(record)
        )
        for n, (key, record) in enumerate(desired.home.records.items())
    ]
    seconds = []
    for _ in range(7):
        started = time.perf_counter()
        for point in points:
            encode_point(SITE, "20261123T120000Z-abcdef", point)
        seconds.append(time.perf_counter() - started)
    return Figure(
        name="encoding",
        size=text,
        value=len(points) / median(seconds),
        unit="lines/s",
        budget=LINES_MIN,
        at_least=True,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory, running_influxdb(Path(directory)) as server:
        figures = measure(server, given.records)
    publish("influxdb", figures)


if __name__ == "__main__":
    main()
