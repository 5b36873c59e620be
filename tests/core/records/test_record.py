"""Records: canonical by construction, tolerant of versions, strict about identity."""

from engine.core.records.record import (
    Category,
    Device,
    Entity,
    Key,
)
from engine.core.records.record_json import (
    make_record,
)
from tests.homes import device, entity


def test_sets_are_sorted_and_lose_duplicates() -> None:
    made = make_record(
        "device", {"id": "x", "labels": ["b", "a", "b"], "identifiers": [["z", 1], ["a", "2"]]}
    )
    assert made == Device(id="x", labels=("a", "b"), identifiers=(("a", "2"), ("z", 1)))


def test_identifiers_may_hold_three_members_and_any_scalar() -> None:
    made = make_record("device", {"id": "x", "identifiers": [["hub", 1, None], [True, "b"]]})
    assert isinstance(made, Device)
    assert set(made.identifiers) == {("hub", 1, None), (True, "b")}


def test_members_of_sets_may_be_of_any_kind() -> None:
    made = make_record("device", {"id": "x", "identifiers": [["a", ["deep", {"b": 1}]], ["a", {"c": 2}]]})
    assert isinstance(made, Device)
    assert len(made.identifiers) == 2


def test_an_absent_key_equals_its_default() -> None:
    assert make_record("device", {"id": "x"}) == make_record(
        "device", {"id": "x", "name": None, "labels": [], "config_entries_subentries": {}, "area_id": None}
    )


def test_stamps_that_mean_unknown_are_none() -> None:
    assert make_record("device", {"id": "x", "created_at": 0.0, "modified_at": 0.0}) == Device(id="x")


def test_a_category_is_identified_by_its_scope_and_id() -> None:
    assert Category(category_id="c", scope="helpers", name="C").key == Key("category", "helpers/c")


def test_the_readable_form_of_a_key() -> None:
    assert str(device(1).key) == f"device/d{1:031x}"
    assert isinstance(entity(1), Entity)
