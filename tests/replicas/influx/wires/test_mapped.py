"""Large reads go over InfluxQL only where it is seen to lead to the bucket that Flux reads."""

from collections.abc import Iterator

import pytest

from engine.errors import ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.influx.wires.mapped import MappedWire
from engine.replicas.influx.wires.wire import Block, Scan
from tests.fakes.influxdb import MemoryWire

NOON = 1_700_000_000.0
MARKER = b'ha_run,site=home state="commit",run="r1" 5'
RECORD = b'ha_area,site=home,id=kitchen hash="1:00" 4'
MARKERS = Scan(measurements=("ha_run",), tags=(), fields=("state", "run"), site="home", newest_max=20)
RECORDS = Scan(measurements=("ha_area",), fields=("hash",), site="home")


class Pair:
    """Two wires and the one over both."""

    def __init__(self, over_v2: bytes, over_v1: bytes) -> None:
        self.v2, self.v1 = MemoryWire(lambda: NOON), MemoryWire(lambda: NOON)
        self.v2.store(over_v2)
        self.v1.store(over_v1)
        self.wire = MappedWire(self.v2, self.v1)

    def read(self, *scans: Scan) -> list[list[Block]]:
        return [list(self.wire.scan(scan)) for scan in scans]

    def read_over_influxql(self) -> list[Scan]:
        return [scan for scan in self.v1.scans if scan.newest_max is None]


@pytest.fixture
def same() -> Pair:
    both = MARKER + b"\n" + RECORD
    return Pair(both, both)


def test_large_reads_go_over_influxql_once_the_markers_are_the_same(same: Pair) -> None:
    _, first, second = same.read(MARKERS, RECORDS, RECORDS)
    assert first == second == [Block("ha_area", [[4, "kitchen", "1:00"]])]
    assert same.read_over_influxql() == [RECORDS, RECORDS]
    assert same.v2.scans == [MARKERS]
    assert same.v1.scans.count(MARKERS) == 1


def test_lookups_by_id_and_writes_go_over_v2(same: Pair) -> None:
    some = Scan(measurements=("ha_area",), fields=("hash",), site="home", ids=("kitchen",))
    same.read(MARKERS, some)
    same.wire.write(b'ha_area,site=home,id=attic hash="1:01" 6')
    assert same.v2.scans == [MARKERS, some]
    assert same.v1.scans == []
    assert same.v1.bodies == []
    assert len(same.v2.bodies) == 1


@pytest.mark.parametrize(
    "over_v1",
    [
        b'ha_run,site=home state="commit",run="r2" 5',
        b'ha_run,site=home state="commit",run="r1" 6',
        MARKER + b'\nha_run,site=home state="commit",run="r0" 3',
        RECORD,
    ],
)
def test_a_name_that_leads_elsewhere_is_read_over_flux(over_v1: bytes) -> None:
    pair = Pair(MARKER + b"\n" + RECORD, over_v1)
    assert pair.read(MARKERS, RECORDS)[1] == [Block("ha_area", [[4, "kitchen", "1:00"]])]
    assert pair.read_over_influxql() == []


def test_an_empty_bucket_proves_nothing(same: Pair) -> None:
    pair = Pair(RECORD, RECORD)
    pair.read(MARKERS, RECORDS)
    assert pair.v1.scans == []
    same.read(RECORDS)  # and neither does a bucket whose markers were not read
    assert same.v1.scans == []


def test_markers_of_one_site_say_nothing_of_another_or_of_all(same: Pair) -> None:
    other = Scan(measurements=("ha_area",), fields=("hash",), site="other")
    every = Scan(measurements=("ha_area",), fields=("hash",))
    same.read(MARKERS, other, every)
    assert same.v1.scans == []


@pytest.mark.parametrize("error", [ReplicaRejected, ReplicaUnavailable])
def test_influxql_that_does_not_answer_is_not_used(
    same: Pair, monkeypatch: pytest.MonkeyPatch, error: type[ReplicaError]
) -> None:
    def refuse(_scan: Scan) -> Iterator[Block]:
        raise error("influxdb", "no mapping", "make one")

    monkeypatch.setattr(same.v1, "scan", refuse)
    assert same.read(MARKERS, RECORDS)[1] == [Block("ha_area", [[4, "kitchen", "1:00"]])]


def test_a_mapping_that_was_changed_is_noticed_by_the_next_look(same: Pair) -> None:
    same.read(MARKERS, RECORDS)
    same.v1.store(b'ha_run,site=home state="commit",run="of another bucket" 9')
    same.read(MARKERS, RECORDS)
    assert same.read_over_influxql() == [RECORDS]


def test_closing_forgets_everything_seen(same: Pair) -> None:
    same.read(MARKERS, RECORDS)
    same.wire.close()
    same.wire.close()
    same.read(RECORDS)
    assert same.read_over_influxql() == [RECORDS]
