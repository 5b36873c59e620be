"""One writing run on a wire in memory: apart, refused, read back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.records.record import Key
from engine.errors import ReplicaDiverged
from engine.replicas.influx.commit import Committer, refusal_error, windows
from engine.replicas.influx.schema.points import Point
from engine.replicas.influx.sending import Sender
from engine.replicas.influx.wires.failures import BatchRefused
from tests.fakes.influxdb import MemoryWire

SECOND = 1_000_000_000


def point(number: int, time_ns: int = 5) -> Point:
    return Point(Key("device", f"d{number}"), time_ns + number, "create", 1, f"1:{number}", b"{}")


class Bench:
    def __init__(self) -> None:
        self.wire = MemoryWire(lambda: 0.0)
        self.sender = Sender(self.wire, None, lambda _seconds: None)
        self.committer = Committer(self.wire, self.sender, "home")

    def refuse(self, *numbers: int) -> None:
        def before_write(body: bytes) -> None:
            if any(b"id=d%d " % number in body for number in numbers):
                raise BatchRefused("influxdb", "limit exceeded.", "Raise it.")

        self.wire.before_write = before_write


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_updates_and_creates_travel_apart(bench: Bench) -> None:
    points = [point(n) for n in range(200)]
    existing = frozenset(p.key for p in points[::2])
    assert bench.committer.write(points, existing, "run") == []
    assert [body.count(b"\n") + 1 for body in bench.wire.bodies] == [100, 100]
    assert b"id=d0 " in bench.wire.bodies[0]
    assert b"id=d1 " in bench.wire.bodies[1]


def test_a_refused_record_is_named_and_from_then_on_travels_alone(bench: Bench) -> None:
    bench.refuse(3)
    points = [point(n) for n in range(8)]
    [refused] = bench.committer.write(points, frozenset(), "run")
    error = refusal_error([refused], len(points))
    assert str(error) == (
        "InfluxDB refused 1 of 8 records (device/d3); the others were written. limit exceeded. Raise it."
    )
    assert error.unwritten == frozenset({("device", "d3")})
    assert "others" not in str(refusal_error([refused], 1)), "there was no other"
    bench.wire.bodies.clear()
    bench.committer.write(points, frozenset(), "run")
    assert [body.count(b"\n") + 1 for body in bench.wire.bodies] == [7, 1]


def test_a_record_that_was_refused_and_changed_since_gets_another_chance(bench: Bench) -> None:
    bench.refuse(3)
    bench.committer.write([point(3)], frozenset(), "run")
    bench.refuse()
    bench.wire.bodies.clear()
    changed = Point(point(3).key, 99, "create", 1, "1:new", b"{}")
    assert bench.committer.write([point(1), changed], frozenset(), "run") == []
    assert len(bench.wire.bodies) == 1


def test_a_point_that_does_not_read_back_is_reported(bench: Bench) -> None:
    bench.wire.is_forgetful = True
    with pytest.raises(
        ReplicaDiverged, match="confirmed 2 points, but 2 of them do not read back, device/d1 first"
    ):
        bench.committer.write([point(1), point(2)], frozenset(), "run")
    assert bench.sender.is_doubtful


@pytest.mark.slow
def test_many_points_go_in_bounded_batches(bench: Bench) -> None:
    bench.committer.write([point(n) for n in range(12_001)], frozenset(), "run")
    assert [body.count(b"\n") + 1 for body in bench.wire.bodies] == [5000, 5000, 2001]


@given(st.lists(st.integers(0, 20 * SECOND), unique=True).map(sorted))
def test_windows_cover_every_time_and_no_long_gap(times: list[int]) -> None:
    cut = list(windows(times))
    assert all(sum(start <= t < stop for start, stop in cut) == 1 for t in times)
    assert all(later[0] - earlier[1] >= SECOND for earlier, later in pairwise(cut))


def test_a_marker_that_is_refused_is_an_error(bench: Bench) -> None:
    def before_write(_body: bytes) -> None:
        raise BatchRefused("influxdb", "no marker")

    bench.wire.before_write = before_write
    with pytest.raises(BatchRefused, match="no marker"):
        bench.committer.send_marker(b"ha_run,site=home n=1i 5")


def test_stored_points_of_a_refused_batch_do_not_count_as_refused(bench: Bench) -> None:
    def store_and_refuse(body: bytes) -> None:
        # As 1.x does it: the others are stored, and the whole batch is answered with an error.
        bench.wire.store(b"\n".join(x for x in body.split(b"\n") if b"id=d7 " not in x) or b"x f=1i 5")
        raise BatchRefused("influxdb", "partial write.")

    bench.wire.before_write = store_and_refuse
    refused = bench.committer.write([point(n) for n in range(50)], frozenset(), "run")
    assert [r.point.key.id for r in refused] == ["d7"]


def test_lines_beside_the_points_travel_with_them_and_are_not_missed(bench: Bench) -> None:
    def refuse(body: bytes) -> None:
        if b"ha_change" in body:
            raise BatchRefused("influxdb", "conflict.")

    bench.wire.before_write = refuse
    assert bench.committer.write([point(1), point(2)], frozenset(), "run", [b"ha_change f=1i 5"]) == []
    assert bench.wire.bodies[0].count(b"\n") == 2
    bench.committer.send_marker(b'ha_run,site=home state="commit" 9', [b"ha_change f=1i 6"])
