"""What is derived from records that are missing and may not be gone is not written, and nothing else waits for it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from engine.core.compare.diff import compare
from engine.core.compare.plan import make_plan
from engine.core.compare.stored import row_of
from engine.core.guards.doubt import depend_on_untrusted, untrusted_read
from engine.core.guards.guard import Policy, Verdict, review
from engine.core.guards.instance import KnownHomes
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Device, Key, Record
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot

KITCHEN = device(1, area_id="kitchen")
LAMP = entity(1, device_id=KITCHEN.id)
SWITCH = entity(2, device_id=device(2).id, area_id="hall")
LONELY = entity(3)
HOME: list[Record] = [ENTRY, KITCHEN, device(2), LAMP, SWITCH, LONELY]
STARTING = msgspec.structs.replace(RUNNING, state="NOT_RUNNING")
CORRUPT = msgspec.structs.replace(RUNNING, corrupt_stores=("core.device_registry",))


def judge(
    desired: Snapshot,
    *stored: Record,
    policy: Policy | None = None,
    are_booked: bool = True,
    positions: Mapping[Key, int] | None = None,
    **given: Any,
) -> Verdict:
    """The verdict over rows with derived values, that were equal to `stored` at these positions."""
    have = snapshot(*stored, positions=positions)
    booked = have.home.row_versions if are_booked else {}
    diff = compare(desired.home.row_versions, have.home.row_versions, booked, desired.reading.registries)
    rows = {key: row_of(record, have.home.derived.get(key)) for key, record in have.home.records.items()}
    plan = make_plan("sqlite", diff, desired, rows, with_derived=True, prune_foreign=False)
    return review(
        plan,
        desired,
        applied=booked,
        homes=KnownHomes(),
        observed_count=len(rows),
        absences={},
        policy=policy or Policy(),
        **given,
    )


def without(*gone: Record) -> list[Record]:
    return [record for record in HOME if record not in gone]


def keys(*records: Record) -> set[Key]:
    return {record.key for record in records}


def changed(verdict: Verdict) -> set[Key]:
    return {o.key for o in verdict.allowed}


@pytest.mark.parametrize("health", [STARTING, CORRUPT, RUNNING])
def test_entities_keep_the_names_of_devices_that_are_not_listed(health: SourceHealth) -> None:
    verdict = judge(snapshot(*without(KITCHEN, device(2)), health=health), *HOME)
    assert verdict.allowed == ()
    assert {o.key for o in verdict.held} == keys(KITCHEN, device(2), LAMP, SWITCH)
    assert [r.held for r in verdict.refusals] == [4]


def test_one_device_that_is_missing_once_takes_nothing_from_its_entities() -> None:
    verdict = judge(snapshot(*without(KITCHEN)), *HOME)
    assert (verdict.allowed, verdict.refusals) == ((), ())
    assert ({o.key for o in verdict.waiting}, {o.key for o in verdict.held}) == (keys(KITCHEN), keys(LAMP))


def test_a_device_keeps_its_number_of_entities_while_they_are_missing() -> None:
    verdict = judge(snapshot(*without(LAMP), health=STARTING), *HOME)
    assert {o.key for o in verdict.held} == keys(LAMP, KITCHEN)


def test_derived_values_are_kept_while_the_ledger_is_empty_and_the_missing_record_looks_foreign() -> None:
    verdict = judge(snapshot(*without(LAMP), health=STARTING), *HOME, are_booked=False)
    assert KITCHEN.key in {o.key for o in verdict.held}
    assert judge(snapshot(*without(LAMP)), *HOME, are_booked=False).held == ()


def test_a_device_keeps_its_integration_while_the_config_entry_is_missing() -> None:
    more = ENTRY.__class__(entry_id="more", domain="mqtt")
    home = [*HOME, more, device(3, config_entry_id="more")]
    verdict = judge(snapshot(*[r for r in home if r is not more], health=STARTING), *home)
    assert {o.key for o in verdict.held} == keys(more, device(3))


def test_a_child_keeps_the_area_of_a_parent_that_is_missing() -> None:
    child = device(3, parent_device_id=KITCHEN.id)
    held = {o.key for o in judge(snapshot(*without(KITCHEN), child), *HOME, child).held}
    assert child.key in held


def test_an_entity_keeps_the_area_of_its_devices_parent_while_that_is_missing() -> None:
    child = device(3, parent_device_id=KITCHEN.id)
    sensor = entity(4, device_id=child.id)
    moved = msgspec.structs.replace(sensor, device_id=device(2).id)
    held = judge(snapshot(*without(KITCHEN), child, sensor), *HOME, child, moved).held
    assert sensor.key in {o.key for o in held}


def test_a_device_with_its_own_area_is_written_without_its_parent() -> None:
    child = device(3, parent_device_id=KITCHEN.id, area_id="attic")
    before = msgspec.structs.replace(child, area_id="hall")
    assert child.key in changed(judge(snapshot(*without(KITCHEN), child, health=STARTING), *HOME, before))


def test_a_device_with_an_unchanged_integration_is_written_without_its_config_entry() -> None:
    before = device(2, config_entry_id="more")
    renamed = msgspec.structs.replace(before, name="New")
    verdict = judge(snapshot(*without(device(2)), renamed, health=STARTING), *without(device(2)), before)
    assert changed(verdict) == keys(renamed, SWITCH)


def test_areas_do_not_move_up_into_the_place_of_one_that_may_still_come() -> None:
    areas = [Area(area_id=name, name=name.title()) for name in ("attic", "bath", "cellar")]
    attic, bath, cellar = areas
    order = {area.key: number for number, area in enumerate(areas)}
    read = snapshot(*HOME, bath, cellar, health=STARTING, positions={bath.key: 0, cellar.key: 1})
    verdict = judge(read, *HOME, *areas, positions=order)
    assert {o.key for o in verdict.held} == keys(attic, bath, cellar)
    # Nothing of them is missing, so a new order is the user's.
    swapped = {attic.key: 1, bath.key: 0, cellar.key: 2}
    verdict = judge(
        snapshot(*without(LAMP), *areas, health=STARTING, positions=swapped), *HOME, *areas, positions=order
    )
    assert changed(verdict) >= keys(attic, bath)
    # A new name changes no place.
    renamed = Area(area_id="bath", name="Bathroom")
    places = {bath.key: 1, cellar.key: 2}
    read = snapshot(*HOME, renamed, cellar, health=STARTING, positions=places)
    assert changed(judge(read, *HOME, *areas, positions=order)) == keys(renamed)


def test_a_doubtful_read_is_explained_with_the_next_step() -> None:
    def why(**health: object) -> tuple[str, str, str]:
        found = untrusted_read(snapshot(health=msgspec.structs.replace(RUNNING, **health)))
        assert found is not None
        return found

    assert why(state="STARTING") == (
        "not_running",
        "Home Assistant is STARTING, not RUNNING.",
        "Run again when it has started; the deletes follow then.",
    )
    assert why(unread=("no repairs", "no state")) == (
        "health_unread",
        "What Home Assistant says of its own state could not be read: no repairs; no state. "
        "Whether its registries are sound is not known.",
        "Restart Home Assistant, which rewrites such a file, and run again; the deletes follow then.",
    )
    assert why(corrupt_stores=("core.device_registry", "core.entity_registry")) == (
        "storage_corruption",
        "Home Assistant reports a corrupt store (core.device_registry, core.entity_registry) and started over "
        "with an empty registry and new ids.",
        "Restore a backup of Home Assistant, or accept the loss there by fixing the repair issue.",
    )
    assert untrusted_read(snapshot()) is None


def test_values_derived_from_other_records_are_written() -> None:
    renamed = [entity(3, name="New"), device(2, name="New"), *without(KITCHEN, device(2), LONELY)]
    verdict = judge(snapshot(*renamed, health=STARTING), *HOME)
    assert changed(verdict) == keys(LONELY, device(2), SWITCH)
    assert {o.key for o in verdict.held} == keys(KITCHEN, LAMP)


def test_values_independent_of_a_missing_device_are_written() -> None:
    disabled = entity(1, device_id=KITCHEN.id, disabled_by="user", area_id="attic")
    before = msgspec.structs.replace(LAMP, area_id="attic")
    home = [before, *without(LAMP)]
    nameless = [r if r != KITCHEN else msgspec.structs.replace(KITCHEN, name=None) for r in home]
    verdict = judge(snapshot(disabled, *[r for r in nameless[1:] if r.key != KITCHEN.key]), *nameless)
    assert disabled.key in changed(verdict)


def test_a_registry_that_was_corrupt_is_not_trusted_while_records_are_missing() -> None:
    device_9 = device(9)
    moved = entity(1, device_id=device_9.id)
    desired = snapshot(device_9, moved, *without(KITCHEN, LAMP), health=CORRUPT)
    verdict = judge(desired, *HOME)
    assert changed(verdict) == {device_9.key}
    assert {o.key for o in verdict.held} == keys(KITCHEN, LAMP)


def test_a_corrupt_store_of_long_ago_holds_nothing_back() -> None:
    renamed = msgspec.structs.replace(KITCHEN, name="New")
    verdict = judge(snapshot(renamed, *without(KITCHEN), health=CORRUPT), *HOME)
    assert changed(verdict) == keys(KITCHEN, LAMP)
    assert (verdict.held, verdict.refusals) == ((), ())


def test_a_new_row_waits_while_its_device_may_still_come() -> None:
    verdict = judge(snapshot(ENTRY, LAMP, LONELY, health=STARTING))
    assert changed(verdict) == keys(ENTRY, LONELY)
    assert [(r.guard, r.held) for r in verdict.refusals] == [("not_running", 1)]


def test_a_running_home_may_refer_to_a_device_that_it_does_not_have() -> None:
    verdict = judge(snapshot(ENTRY, device(2), LAMP))
    assert changed(verdict) == keys(ENTRY, device(2), LAMP)


def test_registries_that_are_not_mirrored_hold_nothing_back() -> None:
    desired = snapshot(*HOME, health=STARTING).only(frozenset({"entity"}))
    assert changed(judge(desired)) == keys(LAMP, SWITCH, LONELY)


def test_devices_in_a_circle_are_no_trouble() -> None:
    one, two = device(1, parent_device_id=device(2).id), device(2, parent_device_id=device(1).id)
    assert isinstance(one, Device)
    desired = snapshot(ENTRY, one, two, entity(1, device_id=one.id), health=STARTING)
    assert len(changed(judge(desired))) == 4
    assert desired.reading.taken_at == NOON


def test_an_entity_keeps_its_devices_area_where_its_name_does_not_follow_the_device() -> None:
    older = msgspec.structs.replace(RUNNING, ha_version="2026.10.0")
    lamp = entity(1, device_id=KITCHEN.id, name="Mine")
    have = snapshot(ENTRY, KITCHEN, device(2), lamp, health=older)
    desired = snapshot(ENTRY, device(2), lamp, health=older)
    assert have.home.derived[lamp.key].effective_name == desired.home.derived[lamp.key].effective_name
    versions = have.home.row_versions
    rows = {key: row_of(record, have.home.derived.get(key)) for key, record in have.home.records.items()}
    diff = compare(desired.home.row_versions, versions, versions, desired.reading.registries)
    plan = make_plan("sqlite", diff, desired, rows, with_derived=True, prune_foreign=False)
    (moved,) = (o for o in plan.operations if o.key == lamp.key)
    assert [change.name for change in moved.fields] == ["effective_area_id"]
    missing = {KITCHEN.key: rows[KITCHEN.key]}
    assert depend_on_untrusted(plan.operations, missing, desired) == {lamp.key}
