"""The user's order of areas and floors: positions where a core reports it, and none where it does not."""

import pytest

from engine.core.compare.diff import compare
from engine.core.compare.plan import make_plan
from engine.core.compare.stored import row_of
from engine.core.guards.doubt import depend_on_untrusted
from engine.core.home.derived import Derived
from engine.core.home.list_order import decode_order, encode_order, has_order, later_order, positions_of
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Floor, Key
from engine.core.records.set_aside import SetAside
from tests.homes import ENTRY, device, snapshot

AREAS = [Area(area_id=name, name=name) for name in "abc"]
FLOOR = Floor(floor_id="f", name="F")


def ordered(order: str) -> Snapshot:
    positions = positions_of({"area": [Key("area", name) for name in order], "floor": [FLOOR.key]})
    return snapshot(ENTRY, device(1), FLOOR, *AREAS, positions=positions)


@pytest.mark.parametrize(
    ("version", "tells"), [(None, False), ((2025, 11), False), ((2025, 12), True), ((2026, 1), True)]
)
def test_which_cores_have_an_order(version: tuple[int, int] | None, tells: bool) -> None:
    assert has_order(version) is tells


def test_a_position_is_derived_and_changes_no_content() -> None:
    plain, found = snapshot(ENTRY, device(1), FLOOR, *AREAS), ordered("cab")
    assert found.home.derived[Key("area", "c")] == Derived(position=0)
    assert found.home.derived[Key("area", "b")] == Derived(position=2)
    assert found.home.hashes == plain.home.hashes
    changed = {
        key for key, version in found.home.row_versions.items() if version != plain.home.row_versions[key]
    }
    assert changed == {FLOOR.key, *(area.key for area in AREAS)}


def test_versions_are_unchanged_if_no_order_is_reported() -> None:
    plain = snapshot(ENTRY, *AREAS)
    assert {plain.home.row_versions[area.key] for area in AREAS} == {
        plain.home.hashes[area.key] for area in AREAS
    }
    assert not any(area.key in plain.home.derived for area in AREAS)


def test_a_new_order_changes_only_the_moved_records() -> None:
    before = ordered("abc")
    later = before.with_changes([], [], taken_at=2.0, positions=ordered("acb").home.positions)
    assert later.home.touched == {Key("area", "b"), Key("area", "c")}
    assert later.home.row_versions == ordered("acb").home.row_versions
    assert later.home.derived == ordered("acb").home.derived

    gone = later.with_changes(
        [],
        [Key("area", "c")],
        taken_at=3.0,
        positions=positions_of({"area": [AREAS[0].key, AREAS[1].key], "floor": [FLOOR.key]}),
    )
    assert gone.home.derived[Key("area", "b")] == Derived(position=1)
    assert Key("area", "c") not in gone.home.derived
    same = later.with_changes([(device(1, name="New"), "h")], [], taken_at=3.0)
    assert same.home.positions == later.home.positions
    assert same.home.touched == {device(1).key}


def test_a_part_of_a_home_keeps_the_order_of_that_part() -> None:
    part = ordered("cab").only(frozenset({"area"}))
    assert part.home.row_versions == {
        k: v for k, v in ordered("cab").home.row_versions.items() if k.registry == "area"
    }


def test_nothing_moves_up_while_one_may_still_be_there() -> None:
    positions = positions_of({"area": [AREAS[0].key, AREAS[1].key], "floor": [FLOOR.key]})
    before, after = ordered("cab"), snapshot(ENTRY, device(1), FLOOR, *AREAS[:2], positions=positions)
    diff = compare(
        after.home.row_versions, before.home.row_versions, before.home.row_versions, after.reading.registries
    )
    rows = {key: row_of(record, before.home.derived.get(key)) for key, record in before.home.records.items()}
    plan = make_plan("sqlite", diff, after, rows, with_derived=True, prune_foreign=False)
    moved = {operation.key for operation in plan.operations if operation.after is not None}
    gone = Key("area", "c")

    assert moved == {AREAS[0].key, AREAS[1].key}
    assert depend_on_untrusted(plan.operations, {gone: rows[gone]}, after) == moved
    assert depend_on_untrusted(plan.operations, {}, after) == set()


def test_an_order_is_a_text_and_back() -> None:
    positions = ordered("cab").home.positions
    assert encode_order(positions) == '{"area":["c","a","b"],"floor":["f"]}'
    assert decode_order(encode_order(positions)) == positions
    assert encode_order({}) == ""


@pytest.mark.parametrize("text", [None, "", 1, "[]", "{", '{"area":[1]}', '{"device":["x"]}', "\ud800"])
def test_what_is_no_order_says_none(text: object) -> None:
    assert decode_order(text) == {}


def test_what_was_not_read_keeps_its_order() -> None:
    known, listed = ordered("cab").home.positions, positions_of({"area": [Key("area", "b")]})
    floor = {FLOOR.key: 0}
    assert later_order(known, listed, {"area"}) == {Key("area", "b"): 0, **floor}
    assert later_order(known, {}, {"area", "floor"}) == {}


def test_a_row_that_is_set_aside_keeps_its_place_among_the_others() -> None:
    keys = [Key("area", name) for name in "abc"]
    odd = [SetAside("area", "area_id", "null", "it has no id", position=at) for at in (2, 3, None)]
    assert positions_of({"area": keys}, odd) == {keys[0]: 0, keys[1]: 3, keys[2]: 4}
    assert positions_of({"floor": [Key("floor", "f")]}, odd) == {Key("floor", "f"): 0}
