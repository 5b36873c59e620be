"""What a replica keeps because a row was set aside: nothing is lost by it, and nothing is called equal by it."""

from collections.abc import Iterable, Mapping

import msgspec

from engine.core.compare.kept import Kept, fill_in, foreign_bases, kept_keys, stand_in
from engine.core.compare.stored import StoredRow, row_of
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import ConfigEntry, Key, Record
from engine.core.records.set_aside import SetAside
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot


def home(*records: Record, aside: Iterable[SetAside] = (), removed: Iterable[Key] = ()) -> Snapshot:
    return make_snapshot(
        records=[ENTRY, *records],
        taken_at=NOON,
        origin="test",
        registries=frozenset({"config_entry", "device", "entity"}),
        health=RUNNING,
        set_aside=aside,
        removed=frozenset(removed),
    )


def kept(desired: Snapshot, *held: Record) -> Kept:
    before = home(*held)
    rows = {key: row_of(record, None) for key, record in before.home.records.items()}

    def read(keys: Iterable[Key]) -> Mapping[Key, StoredRow]:
        return {key: rows[key] for key in keys if key in rows}

    return kept_keys(desired, before.home.hashes, desired.home.hashes, read)


def odd(registry: str, id_: str | None = None, entity_id: str | None = None) -> SetAside:
    return SetAside(registry, "id", "null", "its id is null", id_, entity_id)


def test_without_rows_set_aside_nothing_is_kept() -> None:
    assert kept(home(), device(1)) == Kept()


def test_a_row_with_an_id_keeps_only_that_record() -> None:
    desired = home(aside=[odd("device", device(1).id)])
    assert kept(desired, device(1), device(2)) == Kept(frozenset({device(1).key}))


def test_a_row_that_only_has_an_entity_id_keeps_the_entity_that_has_it() -> None:
    desired = home(aside=[odd("entity", entity_id="sensor.s1")])
    assert kept(desired, entity(1), entity(2)) == Kept(frozenset({entity(1).key}))


def test_a_row_without_an_id_keeps_every_missing_record_of_its_registry() -> None:
    desired = home(device(3), aside=[odd("device")])
    assert kept(desired, device(1), device(3)) == Kept(frozenset({device(1).key}))
    assert kept(desired, device(1), device(2), device(3)) == Kept(
        frozenset({device(1).key, device(2).key}), 1
    )
    assert kept(desired, device(3), entity(1)) == Kept()


def test_a_record_that_home_assistant_reports_as_gone_is_not_kept() -> None:
    desired = home(aside=[odd("device")], removed=[device(1).key])
    assert kept(desired, device(1)) == Kept()


def test_as_many_rows_may_be_right_as_say_nothing_of_themselves() -> None:
    desired = home(aside=[msgspec.structs.replace(odd("device"), position=n) for n in (1, 2)])
    both = frozenset({device(1).key, device(2).key})
    assert kept(desired, device(1), device(2)) == Kept(both)
    assert kept(desired, device(1), device(2), device(3)).surplus == 1


def test_a_split_composite_device_is_gone_but_an_entity_with_its_id_is_not() -> None:
    desired = make_snapshot(
        records=[ENTRY, device(9)],
        taken_at=NOON,
        origin="test",
        registries=frozenset({"config_entry", "device", "entity"}),
        health=RUNNING,
        set_aside=[odd("device"), odd("entity")],
        splits={device(1).id: (device(9).id,), device(2).id: ("not listed",)},
    )
    namesake = entity(1, id=device(1).id)
    assert kept(desired, device(1), device(2), namesake) == Kept(frozenset({device(2).key, namesake.key}))


def test_an_unreadable_kept_row_does_not_stand_in() -> None:
    desired = home(aside=[odd("device", device(1).id)])
    found = Kept(frozenset({device(1).key}))
    rows = {device(1).key: StoredRow(device(1).key, {"name": ["no", "text"]})}
    assert stand_in(desired, found, lambda keys: {key: rows[key] for key in keys}) is desired


def test_only_records_that_others_derive_values_from_stand_in() -> None:
    desired = home(device(2))
    area = Key("area", "attic")
    reads: list[list[Key]] = []

    def read(keys: Iterable[Key]) -> Mapping[Key, StoredRow]:
        reads.append([*keys])
        return {}

    stand_in(desired, Kept(frozenset({area, device(1).key, device(2).key})), read)
    assert reads == [[device(1).key]]
    stand_in(desired, Kept(frozenset({area})), read)
    assert len(reads) == 1


def test_an_entity_does_not_take_over_the_entity_id_of_a_row_that_is_kept() -> None:
    # Entity 1 is kept with its old entity_id, which 2 has now; 2's own is 3's now.
    desired = home(
        entity(2, entity_id="sensor.s1"),
        entity(3, entity_id="sensor.s2"),
        entity(4),
        aside=[odd("entity", entity(1).id)],
    )
    found = kept(desired, entity(1), entity(2), entity(3), entity(4))
    assert found == Kept(frozenset({entity(1).key, entity(2).key, entity(3).key}), 2)


def test_an_entity_already_stored_beside_a_kept_row_does_not_clash() -> None:
    # A store of records may hold two with one entity_id.
    heir = entity(2, entity_id="sensor.s1")
    desired = home(heir, aside=[odd("entity", entity(1).id)])
    rows = {record.key: row_of(record, None) for record in (entity(1), heir)}

    def read(keys: Iterable[Key]) -> Mapping[Key, StoredRow]:
        return {key: rows[key] for key in keys if key in rows}

    version = desired.home.hashes[heir.key]
    for stored, clashing in ((version, 0), ("1:old", 1)):
        observed = {entity(1).key: "1:x", heir.key: stored}
        found = kept_keys(desired, observed, desired.home.hashes, read)
        assert (heir.key in found.keys, found.surplus) == (bool(clashing), clashing)


def test_fields_missing_in_the_list_stay_as_in_the_replica() -> None:
    full = entity(1, device_class="power", aliases=(None, "Meter"), name="Old")
    listed = entity(1, name="New")
    desired = make_snapshot(
        records=[listed, entity(2)],
        taken_at=NOON,
        origin="test",
        registries=frozenset({"entity"}),
        partly_read={listed.key: frozenset({"device_class", "aliases", "capabilities"})},
    )
    rows = {full.key: row_of(full, None)}
    found = fill_in(desired, {full.key: "x"}, lambda keys: {key: rows[key] for key in keys})
    assert found.home.records[full.key] == entity(
        1, device_class="power", aliases=(None, "Meter"), name="New"
    )
    assert found.home.hashes[full.key] == home(found.home.records[full.key]).home.hashes[full.key]
    assert found.home.row_versions[full.key] != desired.home.row_versions[full.key]
    assert found.home.records[entity(2).key] == entity(2)


def test_a_foreign_row_is_not_kept() -> None:
    listed = entity(1)
    desired = make_snapshot(
        records=[listed],
        taken_at=NOON,
        origin="test",
        registries=frozenset({"entity"}),
        partly_read={listed.key: frozenset({"aliases"})},
    )
    row = StoredRow(listed.key, {"aliases": "no list"})
    assert (
        fill_in(desired, {listed.key: "x"}, lambda _: {listed.key: row}).home.records == desired.home.records
    )
    assert fill_in(desired, {}, lambda _: {}) is desired


def test_entities_keep_the_name_of_a_device_that_cannot_be_read() -> None:
    power = entity(1, device_id=device(1).id, original_name="Power")
    before = home(device(1), power)
    desired = home(power, aside=[odd("device", device(1).id)])
    rows = {key: row_of(record, None) for key, record in before.home.records.items()}
    found = stand_in(desired, Kept(frozenset({device(1).key})), lambda keys: {key: rows[key] for key in keys})
    assert found.home.row_versions[power.key] == before.home.row_versions[power.key]
    assert desired.home.row_versions[power.key] != before.home.row_versions[power.key]
    assert stand_in(desired, Kept(), lambda _: {}) is desired


def test_entities_keep_the_values_they_have_while_their_device_is_listed_twice() -> None:
    lamp, power = device(1, name="Lamp", area_id="attic"), entity(1, device_id=device(1).id)
    before = home(lamp, power)
    desired = home(device(1, name="Twin one"), device(1, name="Twin two"), power)
    rows = {key: row_of(record, None) for key, record in before.home.records.items()}
    versions = before.home.row_versions

    def read(keys: Iterable[Key]) -> dict[Key, StoredRow]:
        return {key: rows[key] for key in keys}

    kept = kept_keys(desired, versions, desired.home.row_versions, read)
    assert kept == Kept(frozenset({lamp.key}))
    assert stand_in(desired, kept, read).home.row_versions[power.key] == versions[power.key]


def test_a_device_does_not_lose_an_entity_that_cannot_be_read() -> None:
    before = home(device(1), entity(1, device_id=device(1).id), entity(2, device_id=device(1).id))
    desired = home(device(1), entity(1, device_id=device(1).id), aside=[odd("entity", entity(2).id)])
    rows = {key: row_of(record, None) for key, record in before.home.records.items()}
    found = stand_in(desired, Kept(frozenset({entity(2).key})), lambda keys: {key: rows[key] for key in keys})
    assert found.home.row_versions[device(1).key] == before.home.row_versions[device(1).key]


def test_a_record_without_derived_values_makes_a_row_without() -> None:
    row = row_of(ENTRY, None)
    assert (row.key, row.derived, row.timestamps) == (ENTRY.key, {}, {})


def bases(desired: Snapshot, *ours: Record) -> frozenset[Key]:
    """The strangers that stand in, of a replica with devices 1 and 2 and two config entries, of which some are known as ours."""
    held = snapshot(ENTRY, ConfigEntry(entry_id="second", domain="light"), device(1), device(2)).home.hashes
    return foreign_bases(desired, held, {record.key: held[record.key] for record in ours})


SECOND = Key("config_entry", "second")


def test_strange_rows_stand_in_if_listed_records_refer_to_one_of_them() -> None:
    for record in (
        entity(1, device_id=device(1).id),
        device(3, parent_device_id=device(1).id),
        device(3, config_entry_id="second"),
    ):
        assert bases(snapshot(ENTRY, record)) == {device(1).key, device(2).key, SECOND}
    assert bases(snapshot(ENTRY, entity(1), device(3))) == frozenset()
    listed = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))
    assert bases(listed) == frozenset()


def test_rows_that_are_ours_or_reported_as_gone_or_were_not_read_do_not_stand_in_as_strangers() -> None:
    child = entity(1, device_id=device(1).id)
    assert bases(snapshot(ENTRY, child), device(1)) == frozenset()
    assert bases(snapshot(ENTRY, child, removed=[device(1).key])) == frozenset()
    assert bases(snapshot(ENTRY, child), device(2)) == {device(1).key, SECOND}
    assert bases(snapshot(ENTRY, child, registries=["config_entry", "entity"])) == frozenset()
    held = snapshot(device(1)).home.hashes
    assert foreign_bases(snapshot(child), held, held) == frozenset()


def test_an_entity_that_is_gone_refers_to_nothing() -> None:
    child = entity(1, device_id=device(1).id)
    later = snapshot(ENTRY, child).with_changes([], [child.key], taken_at=NOON + 1)
    assert bases(later) == frozenset()
