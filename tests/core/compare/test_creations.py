"""A plan that only creates is reported as any other plan would be."""

from typing import Any

import msgspec
import pytest

from engine.core.compare import comparison as comparing
from engine.core.compare.creations import report_creations
from engine.core.compare.diff import Cause
from engine.core.compare.stored import row_of
from engine.core.records.record import Area
from engine.core.words import Outcome
from tests.core.compare.test_comparison import compared
from tests.homes import ENTRY, NOON, device, entity, snapshot

HOME = (
    ENTRY,
    device(1, modified_at=NOON - 5, name_by_user="Mine"),
    device(2, modified_at=NOON + 5),
    entity(1, modified_at=NOON - 9, device_id=device(1).id),
    entity(2, original_name="Door"),
    Area(area_id="hall", name="Hall"),
)


@pytest.mark.parametrize("done", Outcome)
def test_a_creation_is_reported_the_same_alone_and_among_others(
    monkeypatch: pytest.MonkeyPatch, done: Outcome
) -> None:
    desired = snapshot(*HOME)
    found = compared(desired)
    reports = comparing.report_records(found, desired, done=done, compared_at=NOON, found_at=NOON + 1)
    assert reports == report_creations(found.plan, desired, NOON, done)
    monkeypatch.setattr(comparing, "report_creations", lambda *_: None)
    assert reports == comparing.report_records(found, desired, done=done, compared_at=NOON, found_at=NOON + 1)


def test_a_plan_that_does_anything_else_is_not_reported_like_this() -> None:
    desired = snapshot(*HOME)
    others = (
        compared(desired, device(1)),  # an update
        compared(desired, device(3)),  # a delete
        compared(desired, entity(3, entity_id="sensor.s1")),  # a row that has to go
        compared(snapshot(ENTRY), device(3), ours=False),  # a foreign row
    )
    for other in others:
        assert report_creations(other.plan, desired, NOON, Outcome.APPLIED) is None


@pytest.mark.parametrize(
    "other",
    [
        {"before": row_of(ENTRY, None)},
        {"after": None},
        {"moved_from": device(1).key},
        {"replaces": device(1).key},
        {"cause": Cause.DRIFT},  # another program deleted the row
        {"observed": "1:x"},
    ],
    ids=str,
)
def test_an_operation_that_does_more_than_create_is_not_reported_like_this(other: dict[str, Any]) -> None:
    desired = snapshot(ENTRY)
    plan = compared(desired).plan
    (operation,) = plan.operations
    of_difference = other.keys() & {"cause", "observed"}
    changes = (
        {"difference": msgspec.structs.replace(operation.difference, **other)} if of_difference else other
    )
    changed = msgspec.structs.replace(plan, operations=(msgspec.structs.replace(operation, **changes),))
    assert report_creations(changed, desired, NOON, Outcome.APPLIED) is None
