"""Snapshots: complete or refused, and the knowledge that a part keeps."""

import pytest
from hypothesis import given

from engine.core.home.reading import Reading, SourceHealth
from engine.core.home.snapshot import make_snapshot, newest_version, version_of
from engine.core.home.unread import Unread
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Area, Key, Record
from engine.core.records.set_aside import SetAside
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.strategies import homes


def test_a_part_keeps_the_values_derived_from_the_whole() -> None:
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
        ("2026.x", None),
        ("x.11", None),
        ("2026.11", (2026, 11)),
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


def test_what_is_listed_is_not_gone_despite_any_event() -> None:
    whole = snapshot(ENTRY, device(1))
    found = whole.with_evidence(frozenset({device(1).key, device(2).key}))
    assert found.reading.removed == whole.reading.removed | {device(2).key}
    assert found.home is whole.home
    assert whole.with_evidence(frozenset({device(1).key})) is whole


def test_a_part_of_everything_that_was_asked_for_is_the_whole() -> None:
    whole = snapshot(ENTRY, device(1), registries={"config_entry", "device"})
    assert whole.only(frozenset({"config_entry", "device", "area"})) is whole
    assert whole.only(whole.reading.registries) is whole
    unread = whole.read_as(unread=Unread({"label": "the file is missing"}))
    label = unread.only(frozenset({"label"})).read_as(registries=frozenset())
    assert label.only(frozenset({"label"})) is label
    assert unread.only(frozenset({"config_entry", "device", "label"})) is unread
    part = unread.only(frozenset({"config_entry", "device"}))
    assert part.reading.unread == Unread()
    assert part.reading.registries == {"config_entry", "device"}
    assert unread.only(frozenset({"device", "label"})).reading.registries == {"device"}


def test_a_record_is_missing_where_its_registry_was_read_and_does_not_list_it() -> None:
    read = snapshot(ENTRY, device(1), registries={"config_entry", "device", "category"})
    assert read.is_missing(device(2).key)
    assert not read.is_missing(device(1).key)
    assert not read.is_missing(entity(1).key), "entities were not read"
    scoped = read.read_as(unread=Unread(scopes=frozenset({"script"})))
    assert scoped.is_missing(Key("category", "script/a"))
    assert not scoped.is_missing(Key("category", "automation/a"))


def test_a_later_read_has_its_own_time_and_removals() -> None:
    aside = SetAside("device", "name", "7", "its name is odd", device(3).id, None)
    first = make_snapshot(
        records=[ENTRY, device(1), device(2), Area(area_id="a", name="A")],
        taken_at=1.0,
        origin="here",
        registries=frozenset({"config_entry", "device", "area"}),
        removed=frozenset({device(9).key}),
        set_aside=[aside],
        positions={Key("area", "a"): 3},
    )
    said = frozenset({device(1).key, device(2).key, device(3).key})
    later = first.with_changes(
        [],
        [device(1).key],
        taken_at=5.0,
        true_at=4.0,
        removed=said,
        listed=frozenset({"device"}),
        positions={Key("area", "a"): 7},
    )
    # Of these 2 is listed, and a row that is set aside may be 3.
    assert later.reading.removed == {device(1).key, device(9).key}
    assert (later.reading.taken_at, later.reading.true_at) == (5.0, 4.0)
    assert later.reading.earlier_lists == {"config_entry": 1.0, "area": 1.0}
    assert later.home.derived[Key("area", "a")].position == 7
    again = later.with_changes([], [], taken_at=6.0)
    assert (again.reading.true_at, again.reading.earlier_lists) == (6.0, {})
    assert again.home.derived[Key("area", "a")].position == 7


def test_a_snapshot_has_everything_that_it_is_made_of() -> None:
    aside = SetAside("device", "id", "7", "its id is a number", None, None)
    lamp = entity(1, device_id=device(1).id, name="Mine")
    made = make_snapshot(
        records=[device(1), lamp, Area(area_id="a", name="A")],
        taken_at=NOON,
        origin="here",
        registries=frozenset({"area", "device", "entity"}),
        health=SourceHealth(ha_version="2026.11.0", state="RUNNING"),
        removed=frozenset({device(9).key}),
        splits={"old": ("new",)},
        hashes={device(1).key: "known"},
        names_as_of=(2026, 10),
        unread=Unread({"label": "missing"}),
        set_aside=[aside],
        partly_read={lamp.key: frozenset({"icon"})},
        positions={Key("area", "a"): 2},
    )
    assert made.reading == Reading(
        taken_at=NOON,
        origin="here",
        registries=frozenset({"area", "device", "entity"}),
        health=SourceHealth(ha_version="2026.11.0", state="RUNNING"),
        removed=frozenset({device(9).key}),
        splits={"old": ("new",)},
        unread=Unread({"label": "missing"}),
    )
    assert made.home.hashes[device(1).key] == "known"
    assert made.home.derived[lamp.key].effective_name == "Mine", "not as the core's version has it"
    assert made.home.derived[Key("area", "a")].position == 2
    assert (made.home.set_aside, made.home.partly_read) == ((aside,), {lamp.key: frozenset({"icon"})})


def test_the_version_that_was_read_decides_how_entities_are_named_by_default() -> None:
    lamp = entity(1, device_id=device(1).id, name="Mine")
    for version, name in (("2026.10.0", "Mine"), ("2026.11.0", "Device 1 Mine"), (None, "Device 1 Mine")):
        made = snapshot(ENTRY, device(1), lamp, health=SourceHealth(ha_version=version))
        assert made.home.derived[lamp.key].effective_name == name
    plain = make_snapshot(records=[], taken_at=NOON, origin="here", registries=frozenset())
    assert plain.reading == Reading(taken_at=NOON, origin="here", registries=frozenset())
    assert (plain.home.partly_read, plain.home.positions, plain.home.set_aside) == ({}, {}, ())


def test_the_last_write_with_a_version_determines_the_version() -> None:
    written = [(2.0, "2026.4.1"), (1.0, "2026.11.0"), (3.0, None), (4.0, "dev")]
    assert newest_version(written) == (2026, 4)
    assert newest_version([(3.0, None)]) is None
    assert newest_version([]) is None


def test_what_a_replica_adds_to_a_home_changes_nothing_of_how_it_was_read() -> None:
    power = entity(1, device_id=device(1).id, original_name="Power")
    read = snapshot(ENTRY, power)
    assert read.home.derived[power.key].effective_name == "Power"
    standing = read.standing_in([device(1)])
    assert standing.home.derived[power.key].effective_name == "Device 1 Power"
    assert (standing.reading, set(standing.home.records)) == (read.reading, {ENTRY.key, power.key})
    known = entity(1, device_id=device(1).id, original_name="Power", icon="mdi:flash")
    filled = read.filled_in([known])
    assert (filled.reading, filled.home.records[power.key]) == (read.reading, known)
