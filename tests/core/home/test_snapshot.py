"""Snapshots: complete or refused, and what a part of one still knows."""

import pytest
from hypothesis import given

from engine.core.home.content_hash import content_hash
from engine.core.home.record import Key, Record
from engine.core.home.snapshot import version_of
from engine.errors import SourceInvalid
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.strategies import homes


def test_of_two_rows_with_one_id_none_is_trusted() -> None:
    found = snapshot(ENTRY, device(1), device(1, name="other"), device(2))
    assert set(found.records) == {ENTRY.key, device(2).key}
    assert found.set_aside_keys == {device(1).key}
    assert found.counts["device"] == 2


def test_of_two_entities_with_one_entity_id_none_is_trusted() -> None:
    found = snapshot(entity(1), entity(2, entity_id="sensor.s1"), entity(3))
    assert set(found.records) == {entity(3).key}
    assert {row.field for row in found.set_aside} == {"entity_id"}


def test_entities_of_a_device_that_is_listed_twice_are_named_as_home_assistant_names_them() -> None:
    twice = [device(1), device(1, name="Last")]
    found = snapshot(ENTRY, *twice, entity(1, device_id=device(1).id, original_name="Power"))
    assert found.derived[entity(1).key].effective_name == "Last Power"
    later = found.with_changes(
        [(entity(2, device_id=device(1).id, original_name="Energy"), "h")], (), taken_at=NOON
    )
    assert later.derived[entity(2).key].effective_name == "Last Energy"


def test_a_part_keeps_what_was_derived_from_the_whole() -> None:
    whole = snapshot(ENTRY, device(1, area_id="attic"), entity(1, device_id=device(1).id))
    part = whole.only(frozenset({"entity"}))
    key = entity(1).key
    assert set(part.records) == {key}
    assert part.row_versions[key] == whole.row_versions[key]
    assert part.registries == {"entity"}
    assert part.entry_ids == {"entry"}


def test_row_versions_follow_derived_values_and_hashes_do_not() -> None:
    plug, lamp = device(1), entity(1, device_id=device(1).id)
    before, after = snapshot(plug, lamp), snapshot(device(1, area_id="attic"), lamp)
    assert before.hashes[lamp.key] == after.hashes[lamp.key] == content_hash(lamp)
    assert before.row_versions[lamp.key] != after.row_versions[lamp.key]


def test_records_without_derived_values_have_their_hash_as_row_version() -> None:
    assert snapshot(ENTRY).row_versions[Key("config_entry", "entry")] == content_hash(ENTRY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026.11.0", (2026, 11)),
        ("2024.3.0b1", (2024, 3)),
        (None, None),
        ("", None),
        ("dev", None),
        ("2026", None),
    ],
)
def test_versions(text: str | None, expected: tuple[int, int] | None) -> None:
    assert version_of(text) == expected


@given(homes(), homes())
def test_a_snapshot_with_changes_equals_one_made_of_the_same_records(
    old: list[Record], new: list[Record]
) -> None:
    before, expected = snapshot(*old), snapshot(*new)
    assert before.row_versions is not None
    changed = [(r, content_hash(r)) for k, r in expected.records.items() if before.records.get(k) != r]
    gone = before.records.keys() - expected.records.keys()
    later = before.with_changes(changed, gone, taken_at=5.0, removed=frozenset(gone))
    assert later.records == expected.records
    assert later.hashes == expected.hashes
    assert later.derived == expected.derived
    assert later.row_versions == expected.row_versions
    assert later.counts == expected.counts
    assert later.entry_ids == expected.entry_ids
    assert set(later.removed) == set(gone)
    assert later.taken_at == 5.0


def test_with_changes_refuses_a_second_bearer_of_an_entity_id() -> None:
    other = entity(2, entity_id="sensor.s1")
    with pytest.raises(SourceInvalid):
        snapshot(entity(1)).with_changes([(other, content_hash(other))], [], taken_at=1.0)


def test_what_comes_back_is_no_longer_removed() -> None:
    gone = snapshot(entity(1)).with_changes(
        [], [entity(1).key], taken_at=1.0, removed=frozenset({entity(1).key})
    )
    assert gone.removed == {entity(1).key}
    back = gone.with_changes([(entity(1), content_hash(entity(1)))], [], taken_at=2.0)
    assert back.removed == frozenset()


def test_a_look_at_a_part_says_since_when_the_rest_is_known() -> None:
    first = snapshot(ENTRY, device(1), at=NOON)
    later = first.with_changes([], [], taken_at=NOON + 9, true_at=NOON + 1, listed=frozenset({"device"}))
    last = later.with_changes([], [], taken_at=NOON + 20, listed=frozenset())
    assert (later.true_at, last.true_at) == (NOON + 1, NOON + 20)
    assert [s.listed_at("device") for s in (first, later, last)] == [NOON, NOON + 9, NOON + 9]
    assert [s.listed_at("entity") for s in (first, later, last)] == [NOON, NOON, NOON]
    assert last.with_changes([], [], taken_at=NOON + 30).listed_at("entity") == NOON + 30
    part = later.only(frozenset({"entity"}))
    assert (part.true_at, part.listed_at("entity")) == (NOON + 1, NOON)
