"""Plans: minimal, ordered, and explicit about moves."""

from collections.abc import Mapping
from functools import cache

import msgspec
import pytest

from engine.core.compare import plan as planning
from engine.core.compare.diff import Cause, compare
from engine.core.compare.plan import Action, FieldChange, Operation, Plan, changes, label_of, make_plan
from engine.core.compare.stored import StoredRow, row_of
from engine.core.home.derived import Derived
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Key, Record
from engine.core.records.record_json import canonical_fields
from engine.core.records.registries import REGISTRIES
from tests.homes import ENTRY, device, entity, snapshot


def derived_plan_for(desired: Snapshot, stored: Snapshot, known: Mapping[Key, Operation] = {}) -> Plan:
    """The plan for rows that carry derived values and are as `stored` has them; `known` is of the plan before."""
    diff = compare(
        desired.home.row_versions, stored.home.row_versions, stored.home.row_versions, frozenset(REGISTRIES)
    )
    rows = {key: _row(stored, key) for key in stored.home.records}
    return make_plan("r", diff, desired, rows, with_derived=True, prune_foreign=False, known=known)


@cache
def _row(stored: Snapshot, key: Key) -> StoredRow:
    return row_of(stored.home.records[key], stored.home.derived.get(key))


def plan_for(desired: Snapshot, *stored: Record, applied: bool = True, prune_foreign: bool = False) -> Plan:
    """The plan for a replica that holds `stored`, written by us or (`applied=False`) by another program."""
    have = snapshot(*stored)
    diff = compare(
        desired.home.hashes, have.home.hashes, have.home.hashes if applied else {}, frozenset(REGISTRIES)
    )
    rows = {key: StoredRow(key, canonical_fields(r)) for key, r in have.home.records.items()}
    return make_plan("r", diff, desired, rows, with_derived=False, prune_foreign=prune_foreign)


def test_equal_sides_need_no_operation() -> None:
    assert plan_for(snapshot(ENTRY, device(1)), ENTRY, device(1)).operations == ()


def test_order_is_deletes_then_moves_then_upserts_parents_first() -> None:
    plan = plan_for(
        snapshot(ENTRY, device(2), entity(2), entity(3, entity_id="sensor.new")),
        device(1),
        entity(1),
        entity(3),
    )
    assert [(o.action, o.key.registry) for o in plan.operations] == [
        (Action.DELETE, "entity"),
        (Action.DELETE, "device"),
        (Action.MOVE, "entity"),
        (Action.UPSERT, "config_entry"),
        (Action.UPSERT, "device"),
        (Action.UPSERT, "entity"),
    ]


def test_a_renamed_entity_is_one_move_also_when_two_swap_names() -> None:
    plan = plan_for(
        snapshot(entity(1, entity_id="sensor.s2"), entity(2, entity_id="sensor.s1")), entity(1), entity(2)
    )
    assert [o.action for o in plan.operations] == [Action.MOVE, Action.MOVE]
    assert plan.operations[0].fields == (FieldChange("entity_id", "sensor.s2", "sensor.s1"),)
    assert all(o.replaces is None for o in plan.operations)
    assert (plan.of(Action.MOVE), plan.of(Action.UPSERT)) == (plan.operations, ())


def test_an_entity_id_taken_over_by_a_new_entity_names_the_row_that_must_go() -> None:
    plan = plan_for(snapshot(entity(2, entity_id="sensor.s1")), entity(1))
    delete, upsert = plan.operations
    assert (delete.action, delete.key) == (Action.DELETE, entity(1).key)
    assert upsert.replaces == entity(1).key


def test_a_composite_device_moves_to_its_heir_and_the_other_parts_are_new() -> None:
    old, first, second = device(1), device(2), device(3)
    desired = snapshot(first, second, splits={old.id: (first.id, second.id)})
    move, upsert = plan_for(desired, old).operations
    assert (move.action, move.key, move.moved_from) == (Action.MOVE, first.key, old.key)
    assert (upsert.action, upsert.key) == (Action.UPSERT, second.key)


def test_foreign_rows_are_reported_and_only_pruned_on_request() -> None:
    kept = plan_for(snapshot(ENTRY), device(1), applied=False)
    assert [o.action for o in kept.operations] == [Action.UPSERT]
    assert [row.key for row in kept.foreign] == [device(1).key]
    pruned = plan_for(snapshot(ENTRY), device(1), applied=False, prune_foreign=True)
    assert [o.action for o in pruned.operations] == [Action.DELETE, Action.UPSERT]
    assert pruned.foreign == ()


def test_changes_show_hashed_and_derived_fields() -> None:
    stored = StoredRow(device(1).key, {"id": device(1).id, "name": "Old"}, {"entity_count": 1})
    found = changes(stored, device(1, config_entry_id=None), Derived(entity_count=2))
    assert found == (FieldChange("entity_count", 2, 1), FieldChange("name", "Device 1", "Old"))


def test_a_touched_timestamp_is_shown_when_it_is_all_there_is() -> None:
    stored = StoredRow(device(1).key, canonical_fields(device(1, created_at=5.0)))
    assert changes(stored, device(1, created_at=7.0), None) == (FieldChange("created_at", 7.0, 5.0),)


def test_fingerprints_distinguish_plans_and_do_not_depend_on_time() -> None:
    one = plan_for(snapshot(device(1), at=1.0))
    same = plan_for(snapshot(device(1), at=2.0))
    other = plan_for(snapshot(device(1, name="Other")))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_a_label_is_the_name_a_person_knows() -> None:
    plan = plan_for(snapshot(device(1, name_by_user="Mine"), entity(1)))
    assert [o.label for o in plan.operations] == ["Mine", "sensor.s1"]
    assert StoredRow(Key("area", "a"), {}).label == "a"


def test_an_operation_holds_the_old_and_the_new_content() -> None:
    before = snapshot(ENTRY, device(1), device(2), entity(1, device_id=device(1).id))
    after = snapshot(ENTRY, device(1, name="New"), entity(1, device_id=device(1).id))
    plan = derived_plan_for(after, before)
    delete, upsert, renewed = plan.operations
    assert (plan.replica, [d.key for d in plan.diff.differences]) == (
        "r",
        [device(1).key, device(2).key, entity(1).key],
    )
    assert (delete.before, delete.after) == (_row(before, device(2).key), None)
    for operation in (upsert, renewed):
        assert operation.before == _row(before, operation.key)
        assert operation.after == after.home.records[operation.key]
        assert operation.derived == after.home.derived[operation.key]
    assert upsert.fields == (
        FieldChange("effective_name", "New", "Device 1"),
        FieldChange("name", "New", "Device 1"),
    )
    assert renewed.fields == (FieldChange("effective_name", "New", "Device 1"),)


def test_an_operation_that_is_the_same_again_is_taken_over_and_no_other() -> None:
    before = snapshot(ENTRY, device(1), device(2), entity(1))
    after = snapshot(ENTRY, device(1, name="New"), entity(2, entity_id="sensor.s1"))
    known = {o.key: o for o in derived_plan_for(after, before).operations}
    assert set(known) == {device(1).key, device(2).key, entity(1).key, entity(2).key}

    def again(stored: Snapshot, desired: Snapshot, given: Mapping[Key, Operation]) -> list[bool]:
        return [o is given.get(o.key) for o in derived_plan_for(desired, stored, given).operations]

    assert again(before, after, known) == [True] * 4
    for key, operation in known.items():
        cause = Cause.DRIFT if operation.difference.cause is not Cause.DRIFT else Cause.PENDING
        for changed in (
            {"before": StoredRow(key, {})},
            {"difference": msgspec.structs.replace(operation.difference, cause=cause)},
            {"replaces": device(9).key},
            {"moved_from": device(9).key},
            {"derived": Derived(entity_count=9)},
            {"after": device(9)},
        ):
            other = msgspec.structs.replace(operation, **changed)
            made = derived_plan_for(after, before, {**known, key: other}).operations
            assert other not in made, changed
            assert {o.key: o for o in made} == known


def test_an_entity_that_keeps_its_entity_id_is_no_move() -> None:
    (operation,) = plan_for(snapshot(entity(1, name="New")), entity(1)).operations
    assert operation.action is Action.UPSERT
    (operation,) = plan_for(snapshot(device(1, name="New")), device(1)).operations
    assert operation.action is Action.UPSERT


def test_only_a_new_part_of_a_composite_that_is_gone_inherits_its_row() -> None:
    old, first, second = device(1), device(2), device(3)
    splits = {old.id: (first.id, second.id)}
    # The first part has a row already.
    plan = plan_for(snapshot(first, second, splits=splits), old, first)
    assert [(o.action, o.key, o.moved_from) for o in plan.operations] == [(Action.MOVE, second.key, old.key)]
    # What is listed as split is there still.
    renamed = device(1, name="New")
    plan = plan_for(snapshot(renamed, first, splits=splits), old)
    assert {(o.action, o.key) for o in plan.operations} == {
        (Action.UPSERT, old.key),
        (Action.UPSERT, first.key),
    }


def test_a_field_that_is_no_longer_there_is_shown_and_equal_lists_are_not() -> None:
    record = device(1, labels=("a", "b"))
    fields = canonical_fields(record)
    assert changes(StoredRow(record.key, {**fields, "odd": 1, "none": None}), record, None) == (
        FieldChange("odd", None, 1),
    )
    as_lists = {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}
    assert changes(StoredRow(record.key, as_lists), record, None) == ()


def test_a_first_fill_is_planned_as_any_other_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    desired = snapshot(ENTRY, device(2), device(1), entity(2), entity(1), Area(area_id="hall", name="Hall"))
    diff = compare(desired.home.row_versions, {}, {}, desired.reading.registries)

    def planned() -> Plan:
        return make_plan("sqlite", diff, desired, {}, with_derived=True, prune_foreign=False)

    first = planned()
    registries = [operation.key.registry for operation in first.operations]
    assert registries == ["config_entry", "area", "device", "device", "entity", "entity"]
    monkeypatch.setattr(planning, "_creations", lambda *_: None)
    assert planned() == first


def test_a_row_that_vanished_after_the_comparison_makes_no_first_fill() -> None:
    gone, desired = snapshot(device(1)), snapshot(ENTRY)
    diff = compare(desired.home.hashes, gone.home.hashes, gone.home.hashes, frozenset(REGISTRIES))
    plan = make_plan("r", diff, desired, {}, with_derived=False, prune_foreign=False)
    assert [(o.action, o.key) for o in plan.operations] == [
        (Action.DELETE, device(1).key),
        (Action.UPSERT, ENTRY.key),
    ]


def test_a_first_fill_writes_every_record_with_its_derived_values() -> None:
    home = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))
    plan = derived_plan_for(home, snapshot())
    assert [o.key for o in plan.operations] == list(home.home.records)
    for operation, difference in zip(plan.operations, plan.diff.differences, strict=True):
        key = operation.key
        record, derived = home.home.records[key], home.home.derived.get(key)
        assert operation == Operation(Action.UPSERT, difference, None, record, derived)


def test_an_entity_id_that_a_foreign_row_holds_is_taken_from_it() -> None:
    (upsert,) = plan_for(snapshot(entity(2, entity_id="sensor.s1")), entity(1), applied=False).operations
    assert (upsert.key, upsert.replaces) == (entity(2).key, entity(1).key)


def test_a_composite_whose_parts_are_all_there_and_a_device_that_was_not_split_are_deleted() -> None:
    old, part = device(1), device(2)
    plan = plan_for(snapshot(part, splits={old.id: (part.id,)}), old, part, device(3))
    assert [(o.action, o.key) for o in plan.operations] == [
        (Action.DELETE, old.key),
        (Action.DELETE, device(3).key),
    ]


def test_a_record_is_called_by_the_first_of_its_names_that_says_something() -> None:
    assert label_of(Area(area_id="a", name="Kitchen")) == "Kitchen"
    assert label_of(device(1, name="Lamp", name_by_user="Mine")) == "Mine"
    assert label_of(device(1, name="", name_by_user="")) is None
