"""The search for run markers, and their content."""

import pytest

from engine.replicas.influx.schema.markers import RunMarkers
from tests.fakes.influxdb import MemoryWire
from tests.homes import NOON

DAY_NS = 86_400 * 10**9
NOW_NS = int(NOON) * 10**9


@pytest.fixture
def wire() -> MemoryWire:
    return MemoryWire(lambda: NOON)


def put(wire: MemoryWire, at_ns: int, state: str, *, run: str = "r", window: int = 0) -> None:
    wire.store(f'ha_run,site=home run="{run}",state="{state}",window_s={window}i {at_ns}'.encode())


def test_without_markers_everything_is_read(wire: MemoryWire) -> None:
    assert RunMarkers(wire, "home").window_start_ns(NOW_NS) == 0
    assert wire.scans[-1].start_ns == 0


def test_the_newest_commit_says_how_far_back_live_records_reach(wire: MemoryWire) -> None:
    put(wire, NOW_NS - DAY_NS // 2, "commit", window=60)
    put(wire, NOW_NS - 5, "begin")
    assert RunMarkers(wire, "home").window_start_ns(NOW_NS) == NOW_NS - DAY_NS // 2 - 60 * 10**9
    assert RunMarkers(wire, "other").window_start_ns(NOW_NS) == 0


def test_they_are_looked_for_in_growing_steps(wire: MemoryWire) -> None:
    put(wire, NOW_NS - 20 * DAY_NS, "commit")
    put(wire, NOW_NS - 500 * DAY_NS, "commit")
    assert RunMarkers(wire, "home").window_start_ns(NOW_NS) == NOW_NS - 20 * DAY_NS
    spans = [((scan.stop_ns or 0) - scan.start_ns) / DAY_NS for scan in wire.scans]
    assert spans == [1, 8, 64]
    assert [scan.stop_ns for scan in wire.scans[1:]] == [scan.start_ns for scan in wire.scans[:-1]]


def test_a_commit_is_found_behind_many_runs_that_did_not_end(wire: MemoryWire) -> None:
    put(wire, NOW_NS - 10**12, "commit")
    for number in range(1, 50):
        put(wire, NOW_NS - number * 10**9, "begin")
    assert RunMarkers(wire, "home").window_start_ns(NOW_NS) == NOW_NS - 10**12
    assert all(scan.start_ns >= NOW_NS - DAY_NS - 50 * 10**9 for scan in wire.scans)


def test_a_run_that_had_begun_is_seen_whole(wire: MemoryWire) -> None:
    put(wire, NOW_NS - 10, "begin")
    put(wire, NOW_NS + 10, "commit")
    put(wire, NOW_NS + 20, "commit")
    runs = RunMarkers(wire, "home")
    assert runs.end_ns(NOW_NS) == NOW_NS + 11
    assert runs.end_ns(NOW_NS - 20) == NOW_NS - 20
    put(wire, NOW_NS - 5, "begin", run="cut off")
    assert runs.end_ns(NOW_NS) == NOW_NS
