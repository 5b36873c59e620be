"""Points for people, beside those that the replica itself reads: fields, counts and changes."""

import pytest

from engine.core.records.record import Area
from engine.replicas.influx.schema.points import SHOWN_FIELDS
from tests.fakes.influx_stand import DAY, HOME, Stand
from tests.fakes.influxdb import parse_line
from tests.homes import ENTRY, device, entity


def test_a_device_that_moves_takes_its_entities_along(stand: Stand) -> None:
    rooms = Area(area_id="attic", name="Attic"), Area(area_id="kitchen", name="Kitchen")
    lamp, own = entity(1, device_id=device(1).id), entity(2)
    stand.reconcile(ENTRY, *rooms, device(1, area_id="kitchen"), lamp, own)
    stand.wire.bodies.clear()
    stand.reconcile(ENTRY, *rooms, device(1, area_id="attic"), lamp, own, after=60)
    assert stand.ops() == ["update", "refresh"]
    assert {parse_line(line)[2]["area"] for line in stand.wire.lines(b"ha_entity")} == {"attic"}
    assert [r.op for r in stand.replica.timeline(lamp.key)] == ["create"]
    counts = [parse_line(line) for line in stand.wire.lines(b"ha_count,site=home,registry=entity")]
    assert {tags["area"]: fields["n"] for _, tags, fields, _ in counts} == {"-": 1, "attic": 1, "kitchen": 0}
    [change] = [parse_line(line)[2] for line in stand.wire.lines(b"ha_change")]
    assert (change["name"], change["before"], change["after"]) == ("Device 1", "kitchen", "attic")


def test_a_first_fill_is_counted_and_is_no_change(stand: Stand) -> None:
    stand.reconcile(*HOME)
    assert stand.wire.lines(b"ha_change") == []
    assert len(stand.wire.lines(b"ha_count")) == 7


@pytest.mark.slow
def test_there_is_a_series_per_record_and_a_bounded_number_beside(stand: Stand) -> None:
    rooms = [Area(area_id=f"a{n}", name=f"Area {n}") for n in range(5)]
    many = [entity(n, area_id=f"a{n % 5}") for n in range(10, 110)]
    stand.reconcile(*HOME, *rooms, *many)
    for day in range(1, 8):
        many = [
            entity(n, name=f"day {day}", area_id=f"a{(n + day) % 5}", disabled_by="user")
            for n in range(10, 110)
        ]
        stand.reconcile(*HOME, *rooms, *many, after=86_400)
    names = [measurement for measurement, _ in stand.wire.series]
    records = len(HOME) + len(rooms) + len(many)
    assert sum(name not in ("ha_run", "ha_count", "ha_change") for name in names) == records
    # Two registries by area and without one, the other five as a whole; changes by registry.
    assert names.count("ha_count") == 2 * (len(rooms) + 1) + 5
    assert names.count("ha_change") <= 7
    assert names.count("ha_run") == 1


def test_a_point_written_before_there_were_fields_for_people_is_read_and_extended(stand: Stand) -> None:
    stand.reconcile(*HOME)
    for points in stand.wire.series.values():
        for fields in points.values():
            for name in SHOWN_FIELDS:
                fields.pop(name, None)
    stand.replica = stand.fresh()
    stand.wire.bodies.clear()
    stand.reconcile(*HOME, after=60)
    assert stand.wire.bodies == []
    stand.reconcile(*HOME, after=6 * DAY)
    lines = [parse_line(line)[2] for line in stand.wire.lines(b"ha_entity")]
    assert [(line["op"], line["entity_id"]) for line in lines] == [
        ("refresh", "sensor.s1"),
        ("refresh", "sensor.s2"),
    ]
