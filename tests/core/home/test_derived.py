"""Derived truth: areas are inherited, names follow the version's rule, counts count."""

import pytest

from engine.core.home.derived import Derived, affected_keys, derive
from engine.core.records.record import Area, ConfigEntry, Key, Record
from tests.homes import ENTRY, device, entity

NEW, OLD = (2026, 11), (2024, 3)
EVERY_RULE = (OLD, (2026, 1), (2026, 2), (2026, 4), (2026, 9), (2026, 10), NEW, None)


def derived_of(last: Record, *others: Record, version: tuple[int, int] | None = NEW) -> Derived:
    return derive({r.key: r for r in (*others, last)}, version)[last.key]


def test_an_entity_inherits_the_area_of_its_device_and_of_the_devices_parent() -> None:
    parent = device(1, area_id="kitchen")
    child = device(2, parent_device_id=parent.id)
    assert derived_of(entity(1, device_id=child.id), parent, child).effective_area_id == "kitchen"
    assert derived_of(child, parent).effective_area_id == "kitchen"


def test_an_entitys_own_area_wins() -> None:
    own = entity(1, device_id=device(1).id, area_id="attic")
    assert derived_of(own, device(1, area_id="kitchen")).effective_area_id == "attic"


def test_parents_that_form_a_ring_or_are_unknown_give_no_area() -> None:
    one, two = device(1, parent_device_id=device(2).id), device(2, parent_device_id=device(1).id)
    assert derived_of(one, two).effective_area_id is None
    assert derived_of(device(3, parent_device_id="gone")).effective_area_id is None
    beside_a_ring = device(3, parent_device_id=one.id)
    assert derived_of(beside_a_ring, one, two).effective_area_id is None


@pytest.mark.parametrize(
    ("fields", "version", "expected"),
    [
        ({"original_name": "Power"}, NEW, "Plug Power"),
        ({"original_name": "Power", "name": "Mine"}, NEW, "Plug Mine"),
        ({"original_name": "Power", "name": "Mine"}, (2026, 10), "Mine"),
        ({"original_name": "Power", "name": "Mine"}, OLD, "Mine"),
        ({"original_name": "Power", "has_entity_name": True}, OLD, "Plug Power"),
        ({"original_name": "Plug Power", "has_entity_name": False}, OLD, "Plug Power"),
        ({"original_name": "Power"}, (2026, 4), "Plug Power"),
        ({"original_name": "Power"}, (2026, 3), "Power"),
        ({}, NEW, "Plug"),
        ({}, OLD, None),
        ({"has_entity_name": True}, OLD, "Plug"),
        ({"has_entity_name": True}, (2026, 2), "Plug"),
        ({"original_name": "Plug"}, NEW, "Plug Plug"),
        ({"original_name": "Plug", "has_entity_name": True}, OLD, "Plug Plug"),
        ({"original_name": "", "has_entity_name": True}, (2026, 1), "Plug "),
        ({"original_name": "", "has_entity_name": True}, (2026, 2), "Plug"),
        ({"original_name": "Power"}, None, "Plug Power"),
        ({"original_name": "Power", "name": ""}, NEW, "Plug"),
        ({"original_name": "Power", "name": ""}, (2026, 10), "Plug"),
        ({"original_name": "Power", "name": ""}, (2026, 9), None),
        ({"original_name": "Power", "name": "", "has_entity_name": True}, (2026, 2), None),
        ({"original_name": "Power", "name": "", "has_entity_name": True}, (2026, 1), "Plug Power"),
        ({"original_name": "Power", "name": "Mine", "compat_name": "Old"}, NEW, "Old"),
        ({"original_name": "Power", "compat_name": "Old"}, (2026, 10), "Plug Power"),
    ],
)
def test_an_entitys_name(
    fields: dict[str, object], version: tuple[int, int] | None, expected: str | None
) -> None:
    plug = device(1, name="Factory name", name_by_user="Plug")
    assert (
        derived_of(entity(1, device_id=plug.id, **fields), plug, version=version).effective_name == expected
    )


@pytest.mark.parametrize("version", EVERY_RULE)
def test_an_empty_name_of_a_device_is_none(version: tuple[int, int] | None) -> None:
    plug = device(1, name="Plug", name_by_user="")
    assert derived_of(plug, version=version).effective_name == "Plug"
    power = entity(1, device_id=plug.id, original_name="Power", has_entity_name=True)
    assert derived_of(power, plug, version=version).effective_name == "Plug Power"
    assert derived_of(device(1, name="", name_by_user=""), version=version).effective_name is None


@pytest.mark.parametrize("version", EVERY_RULE)
@pytest.mark.parametrize("owner", [{"device_id": None}, {"device_id": "gone"}, {"device_id": device(1).id}])
def test_without_a_devices_name_the_entitys_own_is_left(
    version: tuple[int, int] | None, owner: dict[str, object]
) -> None:
    nameless = device(1, name=None)
    power = entity(1, original_name="Power", has_entity_name=True, **owner)
    assert derived_of(power, nameless, version=version).effective_name == "Power"
    nothing = entity(1, has_entity_name=True, **owner)
    assert derived_of(nothing, nameless, version=version).effective_name is None


def test_a_device_knows_its_integration_and_counts_disabled_entities_too() -> None:
    plug = device(1)
    found = derived_of(
        plug,
        ENTRY,
        entity(1, device_id=plug.id),
        entity(2, device_id=plug.id, disabled_by="user"),
        entity(3),
    )
    assert (found.integration, found.entity_count, found.disabled) == ("demo", 2, False)


def test_domain_and_disabled_of_an_entity() -> None:
    found = derived_of(entity(1, entity_id="light.x.y", disabled_by="user"))
    assert (found.domain, found.disabled) == ("light", True)


def test_other_registries_have_no_derived_values() -> None:
    entry = ConfigEntry(entry_id="e", domain="d")
    assert derive({entry.key: entry}, NEW) == {}


def by_key(*records: Record) -> dict[Key, Record]:
    return {record.key: record for record in records}


def test_a_grandchild_inherits_the_nearest_area() -> None:
    top, middle = device(1, area_id="kitchen"), device(2, parent_device_id=device(1).id)
    bottom = device(3, parent_device_id=middle.id)
    assert derived_of(bottom, top, middle).effective_area_id == "kitchen"
    nearer = device(2, parent_device_id=top.id, area_id="attic")
    assert derived_of(bottom, top, nearer).effective_area_id == "attic"
    assert derived_of(device(4, area_id="hall", parent_device_id=top.id), top).effective_area_id == "hall"
    assert derived_of(device(5)).effective_area_id is None


def test_a_device_without_entities_or_without_a_config_entry_that_is_known() -> None:
    assert derived_of(device(1), ENTRY) == Derived(
        effective_name="Device 1", integration="demo", entity_count=0, disabled=False
    )
    assert derived_of(device(1)).integration is None
    unowned = derived_of(device(1, config_entry_id=None, disabled_by="user"), ENTRY)
    assert (unowned.integration, unowned.disabled) == (None, True)


def test_entities_of_one_device_and_of_another_do_not_share_an_owner() -> None:
    one, two = device(1, area_id="attic"), device(2, name="Other", area_id="hall")
    entities = [entity(n, device_id=(one, two)[n % 2].id, original_name="Power") for n in range(4)]
    found = derive(by_key(one, two, *entities, entity(5, original_name="Power")), NEW)
    assert [found[e.key].effective_area_id for e in entities] == ["attic", "hall", "attic", "hall"]
    assert [found[e.key].effective_name for e in entities[:2]] == ["Device 1 Power", "Other Power"]
    assert found[entity(5).key] == Derived(effective_name="Power", domain="sensor", disabled=False)


def test_what_has_a_position_in_the_users_order_is_derived_from_that() -> None:
    attic, hall = Area(area_id="attic", name="Attic"), Area(area_id="hall", name="Hall")
    assert derive(by_key(attic, hall), NEW, positions={attic.key: 0}) == {attic.key: Derived(position=0)}
    assert derive(by_key(attic, hall), NEW) == {}


def test_only_requested_records_are_derived_and_known_counts_are_reused() -> None:
    records = by_key(ENTRY, device(1), device(2), entity(1, device_id=device(1).id))
    found = derive(records, NEW, [device(1).key, device(9).key])
    assert set(found) == {device(1).key}
    assert found[device(1).key].entity_count == 1
    counted = derive(records, NEW, entity_counts={device(1).id: 7})
    assert (counted[device(1).key].entity_count, counted[device(2).key].entity_count) == (7, 0)


def test_what_depends_on_a_device_is_affected_by_it() -> None:
    child, grandchild = (
        device(2, parent_device_id=device(1).id),
        device(3, parent_device_id=device(2).id),
    )
    home = by_key(
        ENTRY,
        device(1),
        child,
        grandchild,
        device(4),
        entity(1, device_id=device(1).id),
        entity(3, device_id=grandchild.id),
        entity(4, device_id=device(4).id),
        entity(5),
    )
    assert affected_keys(home, home, [child.key]) == {child.key, grandchild.key, entity(3).key}
    family = {device(1).key, child.key, grandchild.key, entity(1).key, entity(3).key}
    assert affected_keys(home, home, [device(1).key]) == family
    assert affected_keys(home, home, [Key("area", "attic")]) == {Key("area", "attic")}
    assert affected_keys(home, home, []) == set()


def test_devices_whose_parents_form_a_ring_are_all_affected() -> None:
    ring = by_key(device(1, parent_device_id=device(2).id), device(2, parent_device_id=device(1).id))
    assert affected_keys(ring, ring, [device(1).key]) == set(ring)


def test_a_config_entry_affects_its_devices_and_their_dependants() -> None:
    home = by_key(ENTRY, device(1), device(2, config_entry_id="other"), entity(1, device_id=device(1).id))
    family = {ENTRY.key, device(1).key, entity(1).key}
    assert affected_keys(home, home, [ENTRY.key]) == family
    other = entity(2, device_id=device(2).id)
    home[other.key] = other
    assert affected_keys(home, home, [ENTRY.key, device(2).key]) == family | {device(2).key, other.key}


def test_only_added_removed_or_moved_entities_affect_a_device() -> None:
    plain = by_key(device(1), device(2), entity(1, device_id=device(1).id))
    moved = {**plain, entity(1).key: entity(1, device_id=device(2).id)}
    renamed = {**plain, entity(1).key: entity(1, device_id=device(1).id, name="Lamp")}
    without = by_key(device(1), device(2))
    changed = [entity(1).key]
    assert affected_keys(plain, moved, changed) == {entity(1).key, device(1).key, device(2).key}
    assert affected_keys(plain, without, changed) == {entity(1).key, device(1).key}
    assert affected_keys(without, plain, changed) == {entity(1).key, device(1).key}
    assert affected_keys(plain, renamed, changed) == {entity(1).key}
