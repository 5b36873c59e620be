"""The measurements that HomeIQ wrote, held against the home."""

from engine.replicas.influx.schema.legacy import find_legacy
from tests.fakes.influxdb import MemoryWire
from tests.homes import device, entity, snapshot

HOME = snapshot(device(1), device(2), entity(1))


def wire_with(*lines: str) -> MemoryWire:
    wire = MemoryWire(lambda: 0.0)
    wire.store("\n".join(lines).encode())
    return wire


def test_an_older_series_of_a_device_is_a_stale_duplicate() -> None:
    wire = wire_with(
        f'devices,device_id={device(1).id},manufacturer=Acme,model=X,area_id=bedroom name="Lamp" 2000000000',
        f'devices,device_id={device(1).id},manufacturer=Acme,model=X,area_id=kitchen name="Lamp" 1000000000',
        f'devices,device_id={device(1).id},manufacturer=Unknown,model=X,area_id=kitchen name="Lamp" 500000000',
        f'devices,device_id={device(2).id},manufacturer=Acme,model=X,area_id=attic name="Fan" 500000000',
    )
    report = find_legacy(wire, HOME)
    assert report.series == 4
    assert [
        (row.tags["manufacturer"], row.tags["area_id"], row.newest_at) for row in report.stale_duplicates
    ] == [
        ("Unknown", "kitchen", 0.5),
        ("Acme", "kitchen", 1.0),
    ]
    assert report.removed == ()


def test_what_home_assistant_does_not_have_is_removed_and_still_there() -> None:
    wire = wire_with(
        'devices,device_id=gone,manufacturer=Acme name="Old",entity_count=0i 1',
        'entities,entity_id=sensor.s1,domain=sensor unique_id="u" 1',
        "entities,entity_id=sensor.gone,domain=sensor disabled=false 1",
    )
    report = find_legacy(wire, HOME)
    assert [(row.measurement, row.id, row.tags) for row in report.removed] == [
        ("devices", "gone", {"manufacturer": "Acme"}),
        ("entities", "sensor.gone", {"domain": "sensor"}),
    ]
    assert report.stale_duplicates == ()


def test_a_bucket_without_old_measurements_yields_nothing_and_nothing_is_written() -> None:
    wire = MemoryWire(lambda: 0.0)
    report = find_legacy(wire, HOME, start_ns=5)
    assert (report.series, report.removed, wire.bodies) == (0, (), [])
    assert all(scan.start_ns == 5 for scan in wire.scans)
