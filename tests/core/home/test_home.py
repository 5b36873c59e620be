"""The home: what is not trusted, what is derived, and what a later home says of the one that it was made from."""

import pytest

from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key
from engine.errors import SourceInvalid
from tests.homes import ENTRY, NOON, device, entity, snapshot


def test_of_two_rows_with_one_id_none_is_trusted() -> None:
    found = snapshot(ENTRY, device(1), device(1, name="other"), device(2))
    assert set(found.home.records) == {ENTRY.key, device(2).key}
    assert found.home.set_aside_keys == {device(1).key}
    assert found.home.counts["device"] == 2


def test_of_two_entities_with_one_entity_id_none_is_trusted() -> None:
    found = snapshot(entity(1), entity(2, entity_id="sensor.s1"), entity(3))
    assert set(found.home.records) == {entity(3).key}
    assert {row.field for row in found.home.set_aside} == {"entity_id"}


def test_entities_of_a_device_that_is_listed_twice_are_named_as_home_assistant_names_them() -> None:
    twice = [device(1), device(1, name="Last")]
    found = snapshot(ENTRY, *twice, entity(1, device_id=device(1).id, original_name="Power"))
    assert found.home.derived[entity(1).key].effective_name == "Last Power"
    later = found.with_changes(
        [(entity(2, device_id=device(1).id, original_name="Energy"), "h")], (), taken_at=NOON
    )
    assert later.home.derived[entity(2).key].effective_name == "Last Energy"


def test_row_versions_follow_derived_values_and_hashes_do_not() -> None:
    plug, lamp = device(1), entity(1, device_id=device(1).id)
    before, after = snapshot(plug, lamp), snapshot(device(1, area_id="attic"), lamp)
    assert before.home.hashes[lamp.key] == after.home.hashes[lamp.key] == content_hash(lamp)
    assert before.home.row_versions[lamp.key] != after.home.row_versions[lamp.key]


def test_records_without_derived_values_have_their_hash_as_row_version() -> None:
    assert snapshot(ENTRY).home.row_versions[Key("config_entry", "entry")] == content_hash(ENTRY)


def test_with_changes_refuses_a_second_bearer_of_an_entity_id() -> None:
    other = entity(2, entity_id="sensor.s1")
    with pytest.raises(SourceInvalid):
        snapshot(entity(1)).with_changes([(other, content_hash(other))], [], taken_at=1.0)


def test_a_later_home_names_what_it_was_made_from_and_leaves_that_as_it_was() -> None:
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
