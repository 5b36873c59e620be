"""What is shown beside a payload, and how a home is counted."""

from engine.core.records.record import Area, ConfigEntry, Record
from engine.replicas.influx.schema.shown import count_lines, inheriting_keys, shown_values
from tests.fakes.influxdb import parse_line
from tests.fakes.plans import operation_of
from tests.homes import ENTRY, device, entity, snapshot

KITCHEN, ATTIC = Area(area_id="kitchen", name="Die Küche"), Area(area_id="attic", name="Attic")
LAMP = device(1, area_id="kitchen", manufacturer="Acme", model="L1", sw_version="1.2", name_by_user="Lamp")
HOME = (ENTRY, KITCHEN, ATTIC, LAMP, device(2), entity(1, device_id=LAMP.id), entity(2, area_id="attic"))


def shown(record: Record | None, *home: Record) -> tuple[str, ...]:
    return shown_values(record, snapshot(*home).home.derived.get(record.key) if record and home else None)


def test_a_record_shows_what_it_has_and_a_dash_for_the_rest() -> None:
    assert shown(LAMP, *HOME) == ("Lamp", "-", "kitchen", "Acme", "L1", "1.2", "-", "-")
    assert shown(KITCHEN) == ("Die Küche", "-", "-", "-", "-", "-", "-", "-")
    assert shown(ConfigEntry(entry_id="e", domain="d", title="T", disabled_by="user"))[0::7] == ("T", "user")
    assert shown(None) == ("-",) * 8


def test_an_entity_shows_the_area_and_the_name_that_it_inherits() -> None:
    record = entity(1, device_id=LAMP.id, original_name="Power", disabled_by="user")
    assert shown(record, *HOME[:5], record) == (
        "Lamp Power", "sensor.s1", "kitchen", "-", "-", "-", "demo", "user",
    )  # fmt: skip
    assert shown(record)[:3] == ("Power", "sensor.s1", "-")


def test_everything_in_a_moved_device_inherits_again() -> None:
    child = device(3, parent_device_id=LAMP.id)
    home = snapshot(*HOME, child, entity(3, device_id=child.id))
    moved = operation_of(LAMP, area_id="attic")
    assert inheriting_keys([moved], home.home) == {child.key, entity(1).key, entity(3).key}
    assert inheriting_keys([operation_of(LAMP, sw_version="2")], home.home) == set()
    assert inheriting_keys([], home.home) == set()


def counts(*records: Record, gone: tuple[str, ...] = (), **more: object) -> dict[tuple[str, str], object]:
    lines = count_lines("home", snapshot(*records, **more), gone, 5)  # type: ignore[arg-type]  # by name
    parsed = [parse_line(line) for line in lines]
    assert {(name, tags["site"], at) for name, tags, _, at in parsed} <= {("ha_count", "home", 5)}
    return {(tags["registry"], tags["area"]): fields["n"] for _, tags, fields, _ in parsed}


def test_the_home_is_counted_by_registry_and_area() -> None:
    found = counts(*HOME, entity(3, area_id="nowhere"))
    assert {k: n for k, n in found.items() if k[0] in ("device", "entity")} == {
        ("device", "-"): 1, ("device", "kitchen"): 1, ("device", "attic"): 0,
        ("entity", "-"): 1, ("entity", "kitchen"): 1, ("entity", "attic"): 1,
    }  # fmt: skip
    assert {k[0]: n for k, n in found.items() if k[0] not in ("device", "entity")} == {
        "config_entry": 1, "floor": 0, "label": 0, "category": 0, "area": 2,
    }  # fmt: skip


def test_an_area_that_is_gone_counts_none() -> None:
    assert counts(ENTRY, gone=("cellar",))["device", "cellar"] == 0


def test_without_areas_nothing_is_counted_by_them() -> None:
    assert counts(LAMP, registries=("device",)) == {}


def test_an_area_has_its_own_name() -> None:
    lines = [parse_line(line) for line in count_lines("home", snapshot(*HOME), (), 5)]
    names = {tags["area"]: fields["area_name"] for _, tags, fields, _ in lines}
    assert names == {"-": "-", "kitchen": "Die Küche", "attic": "Attic"}
