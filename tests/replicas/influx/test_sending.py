"""Sending again, in halves, and from the outbox."""

from collections.abc import Callable

import pytest

from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.replicas.influx.sending import Sender
from engine.replicas.influx.wires.failures import BatchRefused, BatchTooLarge, InfluxUnavailable
from tests.fakes.influxdb import MemoryWire


class MemoryOutbox:
    def __init__(self) -> None:
        self.held: dict[int, bytes] = {}
        self.is_full = False
        self.is_broken = False

    def put(self, replica: str, body: bytes) -> int:
        if self.is_full:
            raise ReplicaUnavailable(replica, "full")
        number = len(self.held) + 1
        self.held[number] = body
        return number

    def pending(self, replica: str) -> list[tuple[int, bytes]]:
        self._check()
        return sorted(self.held.items())

    def drop(self, number: int) -> None:
        self._check()
        del self.held[number]

    def _check(self) -> None:
        if self.is_broken:
            raise ReplicaRejected("influxdb", "the file is damaged")


class Bench:
    """A sender on a wire in memory; `slept` are the seconds it waited."""

    def __init__(self) -> None:
        self.wire = MemoryWire(lambda: 0.0)
        self.outbox = MemoryOutbox()
        self.slept: list[float] = []
        self.now = 0.0
        self.sender = Sender(
            self.wire, self.outbox, self.slept.append, jitter=lambda: 0.5, clock=lambda: self.now
        )

    def stored(self) -> set[str]:
        return {dict(tags)["id"] for _, tags in self.wire.series}


def line(number: int) -> bytes:
    return f"m,id={number} f=1i {number}".encode()


def failing(*errors: Exception) -> Callable[[bytes], None]:
    queue = list(errors)

    def before_write(_body: bytes) -> None:
        if queue:
            raise queue.pop(0)

    return before_write


def refusing(bad: set[int], error: type[ReplicaRejected] = BatchRefused) -> Callable[[bytes], None]:
    def before_write(body: bytes) -> None:
        if any(line(number) in body.split(b"\n") for number in bad):
            raise error("influxdb", "no")

    return before_write


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_identical_bytes_are_sent_again_until_they_arrive(bench: Bench) -> None:
    bench.wire.before_write = failing(InfluxUnavailable("away"), InfluxUnavailable("away"))
    assert bench.sender.send([line(1), line(2)]) == []
    assert bench.wire.bodies == [b"\n".join([line(1), line(2)])] * 3
    assert bench.slept == [0.5, 1.0]
    assert bench.sender.is_doubtful


@pytest.mark.parametrize(("asked", "waited"), [(3.0, 3.0), (0.0, 0.5), (None, 0.5)])
def test_a_servers_wish_to_wait_for_a_moment_is_kept(
    bench: Bench, asked: float | None, waited: float
) -> None:
    bench.wire.before_write = failing(InfluxUnavailable("busy", retry_after_seconds=asked))
    bench.sender.send([line(1)])
    assert bench.slept == [waited]


@pytest.mark.parametrize("asked", [7.0, 86_400.0])
def test_a_server_that_wants_us_to_wait_for_long_holds_up_no_thread(bench: Bench, asked: float) -> None:
    bench.wire.before_write = failing(InfluxUnavailable("busy", retry_after_seconds=asked))
    with pytest.raises(InfluxUnavailable, match="busy") as busy:
        bench.sender.send([line(1)])
    assert busy.value.retry_after_seconds == asked
    assert bench.slept == []


def test_a_server_that_hangs_is_not_asked_again_at_once(bench: Bench) -> None:
    def hang(_body: bytes) -> None:
        bench.now += 30.0
        raise InfluxUnavailable("no answer in time")

    bench.wire.before_write = hang
    with pytest.raises(InfluxUnavailable, match="no answer"):
        bench.sender.send([line(1)])
    assert len(bench.wire.bodies) == 1


def test_attempts_end_and_the_error_is_reported(bench: Bench) -> None:
    bench.wire.before_write = failing(*[InfluxUnavailable("away")] * 99)
    with pytest.raises(InfluxUnavailable, match="away"):
        bench.sender.send([line(1)])
    assert len(bench.wire.bodies) == 5
    assert sum(bench.slept) < 60


def test_what_needs_a_change_is_not_tried_again(bench: Bench) -> None:
    bench.wire.before_write = failing(ReplicaRejected("influxdb", "401"))
    with pytest.raises(ReplicaRejected, match="401"):
        bench.sender.send([line(1)])
    assert bench.slept == []


@pytest.mark.parametrize("error", [BatchRefused, BatchTooLarge])
@pytest.mark.parametrize("bad", [{0}, {999}, {3, 4, 700}, set(range(5))])
def test_refused_lines_are_isolated_and_the_others_stored(
    bench: Bench, bad: set[int], error: type[ReplicaRejected]
) -> None:
    bench.wire.before_write = refusing(bad, error)
    refusals = bench.sender.send([line(n) for n in range(1000)])
    assert {lines for refusal in refusals for lines in refusal.lines} == {line(n) for n in bad}
    assert bench.stored() == {str(n) for n in range(1000) if n not in bad}
    assert len(bench.wire.bodies) <= 25 * len(bad)


@pytest.mark.slow
def test_when_all_lines_are_refused_the_search_ends(bench: Bench) -> None:
    bench.wire.before_write = refusing(set(range(5000)))
    refusals = bench.sender.send([line(n) for n in range(5000)])
    assert sum(len(refusal.lines) for refusal in refusals) == 5000
    assert len(bench.wire.bodies) < 100


def test_a_server_that_refuses_a_large_batch_gets_smaller_ones(bench: Bench) -> None:
    def before_write(body: bytes) -> None:
        if body.count(b"\n") >= 2:
            raise InfluxUnavailable("cache-max-memory-size", smaller=True)

    bench.wire.before_write = before_write
    assert bench.sender.send([line(n) for n in range(8)]) == []
    assert bench.stored() == {str(n) for n in range(8)}


def test_batches_are_kept_before_and_dropped_after(bench: Bench) -> None:
    numbers = bench.sender.keep([[line(1)], [line(2), line(3)]])
    assert list(bench.outbox.held.values()) == [line(1), line(2) + b"\n" + line(3)]
    bench.sender.drop(numbers)
    assert bench.outbox.held == {}


def test_a_full_outbox_holds_nothing_back(bench: Bench) -> None:
    bench.outbox.is_full = True
    assert bench.sender.keep([[line(1)]]) == []


def test_what_an_earlier_process_left_is_sent_and_dropped(bench: Bench) -> None:
    bench.sender.keep([[line(1)], [line(2)]])
    bench.sender.send_pending()
    assert bench.stored() == {"1", "2"}
    assert bench.outbox.held == {}
    assert bench.sender.is_doubtful


def test_what_was_left_stays_while_the_server_is_away(bench: Bench) -> None:
    bench.sender.keep([[line(1)]])
    bench.wire.before_write = failing(*[InfluxUnavailable("away")] * 9)
    with pytest.raises(InfluxUnavailable):
        bench.sender.send_pending()
    assert bench.outbox.held


def test_a_pending_line_that_is_now_refused_is_dropped(bench: Bench) -> None:
    bench.sender.keep([[line(1), line(2)]])
    bench.wire.before_write = refusing({1})
    bench.sender.send_pending()
    assert bench.stored() == {"2"}
    assert bench.outbox.held == {}


def test_a_broken_outbox_file_does_not_block_writes(bench: Bench) -> None:
    numbers = bench.sender.keep([[line(1)]])
    bench.outbox.is_broken = True
    bench.sender.send_pending()
    bench.sender.drop(numbers)
    assert bench.sender.send([line(1)]) == []
    bench.outbox.is_broken = False
    bench.sender.send_pending()
    assert bench.outbox.held == {}
    assert bench.stored() == {"1"}


def test_an_unusable_outbox_is_reported_once_until_it_recovers() -> None:
    bench = Bench()
    bench.outbox.is_full = True
    assert bench.sender.keep([[line(1)]]) == []
    assert bench.sender.take_note() == "The outbox for InfluxDB cannot be used. full"
    bench.sender.keep([[line(1)]])
    assert bench.sender.take_note() is None
    bench.outbox.is_full = False
    bench.sender.keep([[line(1)]])
    bench.outbox.is_full = True
    bench.sender.keep([[line(1)]])
    assert bench.sender.take_note() is not None


def test_an_outbox_failure_that_passed_before_the_next_report_is_not_reported(bench: Bench) -> None:
    bench.outbox.is_full = True
    bench.sender.keep([[line(1)]])
    bench.outbox.is_full = False
    bench.sender.keep([[line(1)]])
    assert bench.sender.take_note() is None


def test_an_outbox_that_cannot_be_read_or_written_is_reported_once(bench: Bench) -> None:
    bench.outbox.is_broken = bench.outbox.is_full = True
    for _ in range(3):
        bench.sender.send_pending()
        bench.sender.keep([[line(1)]])
    assert bench.sender.take_note() == "The outbox for InfluxDB cannot be used. the file is damaged full"
    bench.sender.send_pending()
    bench.sender.keep([[line(1)]])
    assert bench.sender.take_note() is None


def test_an_outbox_that_cannot_be_read_is_reported() -> None:
    bench = Bench()
    bench.outbox.is_broken = True
    bench.sender.send_pending()
    assert bench.sender.take_note() == "The outbox for InfluxDB cannot be used. the file is damaged"


def test_what_another_home_left_to_be_sent_is_not_sent_and_stays() -> None:
    wire, outbox = MemoryWire(lambda: 0.0), MemoryOutbox()
    sender = Sender(wire, outbox, lambda _: None, site="home")
    ours, theirs = b"ha_area,site=home,id=1 f=1i 1", b"ha_area,site=cabin,id=2 f=1i 2"
    outbox.put("influxdb", theirs)
    outbox.put("influxdb", b"ha_run,site=home run=1i 3\n" + ours)
    outbox.put("influxdb", b"\xff\x00 no line")
    sender.send_pending()
    assert wire.bodies == [b"ha_run,site=home run=1i 3\n" + ours]
    assert sorted(outbox.held.values()) == sorted([theirs, b"\xff\x00 no line"])
    reported = sender.take_note()
    assert reported is not None
    assert "lines of another site than home" in reported
    sender.drop(sender.keep([[ours]]))
    sender.send_pending()
    assert sender.take_note() is None, "reported once, also when batches of ours come and go meanwhile"
