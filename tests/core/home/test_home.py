"""The home: untrusted records, derived values, and the reference of a later home to its base."""

from collections.abc import Iterable, Mapping

import msgspec
import pytest

from engine.core.home.home import Home, hash_of, make_home, row_version
from engine.core.home.snapshot import make_snapshot
from engine.core.records.content_hash import content_hash, row_digest
from engine.core.records.record import Area, ConfigEntry, Key, Record
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.errors import SourceInvalid
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot

ATTIC, HALL = Area(area_id="attic", name="Attic"), Area(area_id="hall", name="Hall")
OLD_CORE = msgspec.structs.replace(RUNNING, ha_version="2026.1.0")  # names entities as none does today
ODD = SetAside("device", "name", "number", "its name is a number", device(9).id, None)


def parts(home: Home) -> dict[str, object]:
    """All that a home says, but for which one it is."""
    devices = [key.id for key in home.records if key.registry == "device"]
    return {
        "records": dict(home.records),
        "hashes": dict(home.hashes),
        "bearers": {f"sensor.s{n}": home.entities.key_of(f"sensor.s{n}") for n in range(9)},
        "per_device": {id_: home.entities.per_device[id_] for id_ in devices},
        "counts": +home.counts,
        "positions": dict(home.positions),
        "entry_ids": home.entry_ids,
        "set_aside": home.set_aside,
        "stand_ins": dict(home.stand_ins),
        "partly_read": dict(home.partly_read),
        "derived": dict(home.derived),
        "row_versions": dict(home.row_versions),
    }


def odd_home(
    *records: Record,
    order: tuple[Area, ...] = (ATTIC, HALL),
    registries: Iterable[str] = REGISTRIES,
    partly_read: Mapping[Key, frozenset[str]] | None = None,
) -> Home:
    """A home with a user's order and a row that is set aside, of an older core."""
    return make_snapshot(
        records=records,
        taken_at=NOON,
        origin="test",
        registries=frozenset(registries),
        health=OLD_CORE,
        set_aside=[ODD],
        partly_read=partly_read,
        positions={area.key: n for n, area in enumerate(order)},
    ).home


BEFORE = (
    ENTRY,
    ATTIC,
    HALL,
    device(1),
    device(2),
    entity(1, device_id=device(1).id, name="Mine"),
    entity(2, device_id=device(2).id),
)


def test_of_two_rows_with_one_id_none_is_trusted() -> None:
    found = snapshot(ENTRY, device(1), device(1, name="other"), device(2))
    assert set(found.home.records) == {ENTRY.key, device(2).key}
    assert found.home.set_aside_keys == {device(1).key}
    assert found.home.counts["device"] == 3


def test_of_two_entities_with_one_entity_id_none_is_trusted() -> None:
    found = snapshot(entity(1), entity(2, entity_id="sensor.s1"), entity(3))
    assert set(found.home.records) == {entity(3).key}
    assert {row.field for row in found.home.set_aside} == {"entity_id"}


def test_nothing_is_derived_from_a_device_that_is_listed_twice() -> None:
    """A first fill named its entities after the last of its rows, whichever that was."""
    twice = [device(1), device(1, name="Last")]
    found = snapshot(ENTRY, *twice, entity(1, device_id=device(1).id, original_name="Power"))
    assert found.home.derived[entity(1).key].effective_name == "Power"
    turned = snapshot(ENTRY, *reversed(twice), entity(1, device_id=device(1).id, original_name="Power"))
    assert turned.home.row_versions == found.home.row_versions
    later = found.with_changes(
        [(entity(2, device_id=device(1).id, original_name="Energy"), "h")], (), taken_at=NOON
    )
    assert later.home.derived[entity(2).key].effective_name == "Energy"


def test_nothing_is_derived_from_an_integration_or_a_parent_that_is_listed_twice() -> None:
    child, parent = device(1, parent_device_id=device(2).id), device(2, area_id="attic")
    others = [msgspec.structs.replace(ENTRY, title="Other"), msgspec.structs.replace(parent, name="B")]
    derived = snapshot(ENTRY, child, parent, *others).home.derived[child.key]
    assert (derived.integration, derived.effective_area_id) == (None, None)


def test_row_versions_follow_derived_values_and_hashes_do_not() -> None:
    plug, lamp = device(1), entity(1, device_id=device(1).id)
    before, after = snapshot(plug, lamp), snapshot(device(1, area_id="attic"), lamp)
    assert before.home.hashes[lamp.key] == after.home.hashes[lamp.key] == content_hash(lamp)
    assert before.home.row_versions[lamp.key] != after.home.row_versions[lamp.key]


def test_records_without_derived_values_have_their_hash_as_row_version() -> None:
    assert snapshot(ENTRY).home.row_versions[Key("config_entry", "entry")] == content_hash(ENTRY)


def test_with_changes_refuses_a_second_holder_of_an_entity_id() -> None:
    other = entity(2, entity_id="sensor.s1")
    with pytest.raises(SourceInvalid):
        snapshot(entity(1)).with_changes([(other, content_hash(other))], [], taken_at=1.0)


def test_a_later_home_refers_to_its_base_and_leaves_it_unchanged() -> None:
    first = snapshot(ENTRY, device(1)).home
    second = first.after([(device(2), content_hash(device(2)))], [], frozenset({"device"}))
    assert second.base is first.generation
    assert second.touched == {device(2).key}
    assert second.generation is not first.generation
    assert set(first.records) == {ENTRY.key, device(1).key}
    assert first.only(frozenset({"device"})).base is None


def test_records_that_are_filled_in_are_of_the_same_home() -> None:
    home = snapshot(ENTRY, entity(1)).home
    known = entity(1, capabilities={"options": ["a"]})
    filled = home.filled_in([known])
    assert filled.generation is home.generation
    assert filled.hashes[known.key] == content_hash(known) != home.hashes[known.key]
    assert filled.derived == home.derived


def later(home: Home, changed: Iterable[Record], gone: Iterable[Key] = (), **more: object) -> Home:
    hashed = [(record, content_hash(record)) for record in changed]
    return home.after(hashed, gone, frozenset(REGISTRIES), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "gone", "order"),
    [
        ([device(1, area_id="attic", name="Lamp")], [], (ATTIC, HALL)),
        ([entity(3, device_id=device(1).id, name="Yours")], [entity(2).key], (ATTIC, HALL)),
        ([], [device(2).key, device(7).key], (ATTIC, HALL)),
        ([ConfigEntry(entry_id="other", domain="demo")], [ENTRY.key], (ATTIC, HALL)),
        ([], [], (HALL, ATTIC)),
        ([HALL], [ATTIC.key], (HALL,)),
    ],
)
def test_a_home_with_changes_is_one_that_was_read_like_that(
    changed: list[Record], gone: list[Key], order: tuple[Area, ...]
) -> None:
    records = {record.key: record for record in BEFORE} | {record.key: record for record in changed}
    fresh = odd_home(*(record for key, record in records.items() if key not in gone), order=order)
    before = odd_home(*BEFORE)
    assert before.derived[entity(1).key].effective_name == "Mine"
    positions = {area.key: n for n, area in enumerate(order)}
    after = later(before, changed, gone, positions=positions)
    assert parts(after) == parts(fresh)
    assert parts(before) == parts(odd_home(*BEFORE))


def test_what_cannot_have_changed_is_derived_once() -> None:
    before = odd_home(*BEFORE)
    after = later(before, [device(1, name="Lamp")])
    assert after.known_derived is not None
    assert after.known_versions is not None
    assert after.derived[entity(2).key] is before.derived[entity(2).key]
    assert after.touched == {device(1).key, entity(1).key}


def test_each_home_has_a_name_of_its_own() -> None:
    first = odd_home(*BEFORE)
    second, third = later(first, [device(1, name="Lamp")]), later(first, [device(1, name="Lamp")])
    part = second.only(frozenset({"device"}))
    assert len({id(home.generation) for home in (first, second, third, part)}) == 4
    assert None not in (first.generation, second.generation, part.generation)
    assert (part.base, part.touched) == (None, frozenset())


def test_the_part_of_some_registries_has_nothing_of_the_others() -> None:
    unknown = {key: frozenset({"name"}) for key in (entity(1).key, device(1).key)}
    twice = device(2, name="Again")
    whole = odd_home(*BEFORE, twice, partly_read=unknown)
    versions = whole.row_versions  # made before, and of no use to the part
    part = whole.only(frozenset({"device", "area"}))

    def of_part(values: Mapping[Key, object]) -> dict[Key, object]:
        return {key: value for key, value in values.items() if key.registry in {"device", "area"}}

    assert parts(part) == parts(whole) | {
        "records": of_part(whole.records),
        "hashes": of_part(whole.hashes),
        "bearers": {f"sensor.s{n}": None for n in range(9)},
        "per_device": {device(1).id: 0},
        "counts": {"device": 4, "area": 2},
        "partly_read": of_part(unknown),
        "derived": of_part(whole.derived),
        "row_versions": of_part(versions),
    }
    areas = whole.only(frozenset({"area"}))
    assert (areas.set_aside, areas.stand_ins, areas.counts) == ((), {}, {"area": 2})
    entities = whole.only(frozenset({"entity"}))
    assert (entities.positions, entities.entities.key_of("sensor.s1")) == ({}, entity(1).key)
    of_later = later(whole, [device(1, name="Lamp")]).only(frozenset({"area"}))
    assert set(of_later.row_versions) == {ATTIC.key, HALL.key}


def test_a_replicas_records_stand_in_for_unreadable_rows() -> None:
    lamp, power = device(1, name="Lamp"), entity(1, device_id=device(1).id, original_name="Power")
    home = later(snapshot(ENTRY, power, device(2)).home, [entity(2, device_id=device(2).id)])
    assert home.derived[power.key].effective_name == "Power"
    assert home.derived[device(2).key].entity_count == 1
    assert home.row_versions  # known before
    found = home.standing_in([lamp, entity(3, device_id=device(2).id)])
    assert found.derived[power.key].effective_name == "Lamp Power"
    assert found.derived[device(2).key].entity_count == 2
    assert found.row_versions[power.key] == row_version(home.hashes[power.key], found.derived[power.key])
    assert found.stand_ins == {lamp.key: lamp}
    again = found.standing_in([device(1, name="Older"), device(3)])
    assert later(found, [device(2, name="Plug")]).derived[device(2).key].entity_count == 2
    assert again.stand_ins == {lamp.key: device(1, name="Older"), device(3).key: device(3)}


def test_a_replicas_record_stands_in_before_those_listed_twice() -> None:
    power = entity(1, device_id=device(1).id, original_name="Power")
    home = snapshot(ENTRY, device(1, name="Twin one"), device(1, name="Twin two"), power).home
    found = home.standing_in([device(1, name="Lamp")])
    assert found.derived[power.key].effective_name == "Lamp Power"
    assert later(found, [power]).derived[power.key].effective_name == "Lamp Power"


def test_a_filled_in_record_gets_the_versions_it_would_have_if_read() -> None:
    filled = entity(1, device_id=device(1).id, name="Mine", capabilities={"options": ["a"]})
    home = odd_home(*BEFORE)
    whole = odd_home(*(filled if record.key == filled.key else record for record in BEFORE))
    assert home.row_versions[filled.key] != whole.row_versions[filled.key]
    found = home.filled_in([filled])
    assert parts(found) == parts(whole)
    assert found.known_derived is home.derived
    assert found.known_versions is not None


def test_the_version_of_a_row_begins_with_the_hash_of_its_record() -> None:
    home = snapshot(ENTRY, device(1)).home
    for key, version in home.row_versions.items():
        assert hash_of(version) == home.hashes[key]
        derived = home.derived.get(key)
        assert version.removeprefix(hash_of(version)) == (f"+{row_digest(derived)[:16]}" if derived else "")
    assert hash_of("1:a+b+c") == "1:a"


def test_a_hash_that_is_known_is_not_made_again() -> None:
    home = make_home(
        [ENTRY, device(1)],
        frozenset(REGISTRIES),
        hashes={ENTRY.key: "known"},
        names_as_of=None,
        set_aside=(),
        partly_read={},
        positions={},
    )
    assert home.hashes == {ENTRY.key: "known", device(1).key: content_hash(device(1))}


@pytest.mark.parametrize(
    ("registries", "aside", "entry_ids"),
    [
        (REGISTRIES, None, {"entry"}),
        (REGISTRIES, SetAside("config_entry", "domain", "null", "odd", "odd"), {"entry", "odd"}),
        (REGISTRIES, SetAside("device", "name", "null", "odd", "odd"), {"entry"}),
        (REGISTRIES, SetAside("device", "id", "null", "odd"), {"entry"}),
        # The list is incomplete: what owns a device or an entity counts too.
        (REGISTRIES, SetAside("config_entry", "entry_id", "null", "odd"), {"entry", "owner", "other"}),
        (("device", "entity"), None, {"entry", "owner", "other"}),
    ],
)
def test_a_home_is_known_by_its_config_entries(
    registries: Iterable[str], aside: SetAside | None, entry_ids: set[str]
) -> None:
    home = make_home(
        [ENTRY, device(1, config_entry_id="owner"), entity(1, config_entry_id="other"), entity(2), HALL],
        frozenset(registries),
        hashes={},
        names_as_of=None,
        set_aside=[aside] if aside else (),
        partly_read={},
        positions={},
    )
    assert home.entry_ids == entry_ids
