"""Drafts as points: their numbers and times, and the points renewed with them."""

import pytest

from engine.core.records.record import Area
from engine.errors import ReplicaRejected
from engine.replicas.history.revisions import Draft
from engine.replicas.influx.schema.drafts import points_of, renewals
from tests.fakes.plans import operation_of
from tests.homes import ENTRY, device, entity, snapshot

LAMP = device(1, area_id="kitchen")
HOME = snapshot(
    ENTRY, Area(area_id="kitchen", name="K"), LAMP, entity(1, device_id=LAMP.id), entity(2, device_id=LAMP.id)
)
KEY = entity(1).key


def test_points_count_on_from_the_newest_row_and_follow_it() -> None:
    drafts = [
        Draft(KEY, "delete", None, "-"),
        Draft(KEY, "create", entity(1), "1:a"),
        Draft(KEY, "refresh", entity(1), "1:a"),
    ]
    newest = {KEY: [50, KEY.id, "1:x", 3, 1]}
    points = list(points_of(drafts, newest, {KEY: 70}, HOME.home.derived, lambda after: after + 1))
    assert [(p.op, p.rev, p.time_ns) for p in points] == [
        ("delete", 4, 71),
        ("create", 5, 72),
        ("refresh", 5, 73),
    ]
    assert [p.shown[2] for p in points] == ["-", "kitchen", "kitchen"]


def test_a_row_of_a_newer_program_is_not_built_upon() -> None:
    with pytest.raises(ReplicaRejected, match="schema 9"):
        list(points_of([], {KEY: [50, KEY.id, "1:x", 3, 9]}, {}, {}, lambda after: after + 1))


def test_inheriting_records_are_renewed_unless_written_anyway_or_different() -> None:
    moved = [operation_of(device(1), area_id="kitchen")]
    held = {**HOME.home.hashes, entity(2).key: "1:other"}
    assert [(d.key, d.op) for d in renewals([], moved, HOME.home, HOME.home.hashes)] == [
        (KEY, "refresh"),
        (entity(2).key, "refresh"),
    ]
    assert [d.key for d in renewals([], moved, HOME.home, held)] == [KEY]
    assert renewals([Draft(KEY, "update", entity(1), "1:a")], moved, HOME.home, held) == []
