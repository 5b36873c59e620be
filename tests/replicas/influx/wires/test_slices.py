"""Slices of time: all of a scan, each of them short, and nothing of what is older than is looked for."""

import itertools

import pytest

from engine.replicas.influx.wires.slices import REACH_NS, SLICE_NS, slices
from engine.replicas.influx.wires.wire import Scan
from tests.homes import NOON

NOW_NS = int(NOON) * 10**9


def scan(start_ns: int, stop_ns: int | None = None) -> Scan:
    return Scan(
        measurements=("ha_device",), site="home", fields=("hash",), start_ns=start_ns, stop_ns=stop_ns
    )


def bounds(asked: Scan) -> list[tuple[int, int | None]]:
    return [(part.start_ns, part.stop_ns) for part in slices(asked, NOW_NS)]


def test_a_short_scan_is_one_slice_and_includes_future_points() -> None:
    assert bounds(scan(NOW_NS - 9)) == [(NOW_NS - 9, None)]
    assert bounds(scan(NOW_NS - 9, NOW_NS + 9)) == [(NOW_NS - 9, NOW_NS + 9)]
    assert bounds(scan(NOW_NS + 9)) == [(NOW_NS + 9, None)]


@pytest.mark.parametrize("stop_ns", [None, NOW_NS + 7, NOW_NS, NOW_NS - 3 * SLICE_NS // 2])
def test_a_long_scan_has_no_gap_and_ends_after_thirty_days(stop_ns: int | None) -> None:
    found = bounds(scan(0, stop_ns))
    assert found[0][1] == stop_ns
    assert all(start == later_stop for (start, _), (_, later_stop) in itertools.pairwise(found))
    assert found[-1][0] == NOW_NS - REACH_NS
    lengths = [(NOW_NS if stop is None else min(stop, NOW_NS)) - start for start, stop in found]
    assert all(0 < length <= SLICE_NS for length in lengths)
    assert len(found) <= 12


def test_what_is_older_is_not_looked_for() -> None:
    assert bounds(scan(0, NOW_NS - REACH_NS)) == []
