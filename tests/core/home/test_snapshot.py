"""Snapshots: complete or refused, and what a part of one still knows."""

import pytest
from hypothesis import given

from engine.core.home.snapshot import version_of
from engine.core.home.unread import Unread
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Record
from tests.homes import ENTRY, device, entity, snapshot
from tests.strategies import homes


def test_a_part_keeps_what_was_derived_from_the_whole() -> None:
    whole = snapshot(ENTRY, device(1, area_id="attic"), entity(1, device_id=device(1).id))
    part = whole.only(frozenset({"entity"}))
    key = entity(1).key
    assert set(part.home.records) == {key}
    assert part.home.row_versions[key] == whole.home.row_versions[key]
    assert part.reading.registries == {"entity"}
    assert part.home.entry_ids == {"entry"}


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
    assert before.home.row_versions is not None
    changed = [
        (r, content_hash(r)) for k, r in expected.home.records.items() if before.home.records.get(k) != r
    ]
    gone = before.home.records.keys() - expected.home.records.keys()
    later = before.with_changes(changed, gone, taken_at=5.0, removed=frozenset(gone))
    assert later.home.records == expected.home.records
    assert later.home.hashes == expected.home.hashes
    assert later.home.derived == expected.home.derived
    assert later.home.row_versions == expected.home.row_versions
    assert later.home.counts == expected.home.counts
    assert later.home.entry_ids == expected.home.entry_ids
    assert set(later.reading.removed) == set(gone)
    assert later.reading.taken_at == 5.0


def test_what_was_not_read_can_be_declared_empty() -> None:
    whole = snapshot(ENTRY, device(1))
    assert whole.with_unread_as_empty() is whole
    partial = whole.only(frozenset({"device"})).read_as(unread=Unread({"label": "the file is missing"}))
    declared = partial.with_unread_as_empty()
    assert declared.reading.unread == Unread()
    assert declared.reading.registries == {"device", "label"}
    assert declared.home is partial.home


def test_what_is_listed_is_not_gone_whatever_was_said_of_it() -> None:
    whole = snapshot(ENTRY, device(1))
    found = whole.with_evidence(frozenset({device(1).key, device(2).key}))
    assert found.reading.removed == whole.reading.removed | {device(2).key}
    assert found.home is whole.home
    assert whole.with_evidence(frozenset({device(1).key})) is whole
