"""How records are looked for: live ones in the window that was observed, others by their id."""

from pathlib import Path

import pytest

from engine.replicas.influx.lookup import HOLDERS_NS, Lookup
from engine.replicas.influx.reading import Holding
from tests.fakes.influx_stand import HOME, Stand
from tests.homes import device, entity


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    found = Stand(tmp_path)
    found.reconcile(*HOME)
    found.wire.scans.clear()
    return found


def test_live_records_are_read_from_the_oldest_of_them_on(stand: Stand) -> None:
    held = Holding(start_ns=5)
    held.put(device(1).key, "x", 7)
    held.put(entity(1).key, "x", 9)
    found = Lookup(stand.wire, "home").newest([device(1).key, entity(1).key], ("hash",), held)
    assert set(found) == {device(1).key, entity(1).key}
    [scan] = stand.wire.scans
    assert (scan.start_ns, scan.measurements) == (7, ("ha_device", "ha_entity"))
    assert len(scan.ids) == 2


def test_many_live_records_are_read_without_their_ids(stand: Stand) -> None:
    held = Holding(start_ns=5)
    for number in range(501):
        held.put(entity(number).key, "x", 7)
    found = Lookup(stand.wire, "home").newest(list(held.times), ("hash",), held)
    assert set(found) == {entity(1).key, entity(2).key}
    [scan] = stand.wire.scans
    assert (scan.start_ns, scan.ids) == (7, ())


def test_others_are_looked_for_by_id_unless_they_are_surely_new(stand: Stand) -> None:
    lookup = Lookup(stand.wire, "home")
    assert set(lookup.newest([entity(1).key, entity(7).key], ("hash",), Holding(start_ns=5))) == {
        entity(1).key
    }
    [scan] = stand.wire.scans
    assert (scan.start_ns, len(scan.ids)) == (0, 2)
    assert lookup.newest([entity(7).key], ("hash",), Holding()) == {}
    assert len(stand.wire.scans) == 1


def test_a_name_is_looked_for_by_the_server_and_not_in_payloads(stand: Stand) -> None:
    assert Lookup(stand.wire, "home").holders("sensor.s1", 9, lambda: 5) == [entity(1).key]
    [scan] = stand.wire.scans
    assert (scan.fields, scan.equals) == (("entity_id",), "sensor.s1")


def test_payloads_of_the_window_are_read_if_no_point_has_the_entity_id(stand: Stand) -> None:
    for points in stand.wire.series.values():
        for fields in points.values():
            fields.pop("entity_id", None)
    lookup = Lookup(stand.wire, "home")
    assert lookup.holders("sensor.s1", 9, lambda: 5) == [entity(1).key]
    assert [(scan.fields, scan.start_ns) for scan in stand.wire.scans] == [
        (("entity_id",), 0),
        (("payload",), 5),
    ]
    assert lookup.holders("-", 9, lambda: 5) == []  # what points of records say that have none


def test_a_name_is_searched_in_the_last_two_years_only(stand: Stand) -> None:
    now_ns = HOLDERS_NS + 1_000
    Lookup(stand.wire, "home").holders("sensor.s1", now_ns, lambda: 5)
    assert stand.wire.scans[0].start_ns == 1_000
