"""Snapshots: complete or refused, and what a part of one still knows."""

import pytest

from engine.core.content_hash import content_hash
from engine.core.record import Key
from engine.core.snapshot import version_of
from engine.errors import SourceInvalid
from tests.homes import ENTRY, device, entity, snapshot


def test_two_rows_with_one_id_are_refused() -> None:
    with pytest.raises(SourceInvalid, match="twice"):
        snapshot(device(1), device(1, name="other"))


def test_one_entity_id_for_two_entities_is_refused() -> None:
    with pytest.raises(SourceInvalid, match=r"sensor\.s1"):
        snapshot(entity(1), entity(2, entity_id="sensor.s1"))


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
