"""Snapshots: complete or refused, and what a part of one still knows."""

import pytest
from hypothesis import given

from engine.core.home.snapshot import version_of
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Record
from tests.homes import ENTRY, device, entity, snapshot
from tests.strategies import homes


def test_a_part_keeps_what_was_derived_from_the_whole() -> None:
    whole = snapshot(ENTRY, device(1, area_id="attic"), entity(1, device_id=device(1).id))
    part = whole.only(frozenset({"entity"}))
    key = entity(1).key
    assert set(part.records) == {key}
    assert part.row_versions[key] == whole.row_versions[key]
    assert part.registries == {"entity"}
    assert part.entry_ids == {"entry"}


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
