"""Records: canonical by construction, tolerant of versions, strict about identity."""

from typing import Any

import pytest

from engine.core.records.nesting import NESTING_MAX
from engine.core.records.record import (
    RECORD_TYPES,
    Area,
    Category,
    ConfigEntry,
    Device,
    Entity,
    Floor,
    Json,
    Key,
)
from engine.core.records.record_json import encode_record, make_record
from tests.homes import device, entity

LEAST: dict[str, dict[str, Any]] = {
    "config_entry": {"entry_id": "i", "domain": "d"},
    "floor": {"floor_id": "i", "name": "n"},
    "label": {"label_id": "i", "name": "n"},
    "category": {"category_id": "i", "scope": "s", "name": "n"},
    "area": {"area_id": "i", "name": "n"},
    "device": {"id": "i"},
    "entity": {"id": "i", "entity_id": "a.b", "unique_id": "u", "platform": "p"},
}
LAST_SECOND = 253_402_300_799.0  # of the year 9999


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


@pytest.mark.parametrize(
    ("registry", "name"),
    [(r, name) for r, type_ in RECORD_TYPES.items() for name in type_.IDENTITY if name != "unique_id"],
)
def test_what_says_which_record_it_is_cannot_be_empty(registry: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"^{registry} row has an empty {name}$"):
        RECORD_TYPES[registry](**{**LEAST[registry], name: ""})
    made = RECORD_TYPES[registry](**LEAST[registry])
    assert made.key.registry == registry


def test_a_unique_id_may_be_empty() -> None:
    assert entity(1, unique_id="").unique_id == ""
    with pytest.raises(ValueError, match=r"an empty platform$"):
        entity(1, unique_id="", platform="")


def nested(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("name", ["capabilities", "options", "extra"])
def test_a_field_nests_so_deep_and_no_deeper(name: str) -> None:
    deep = {"a": nested(NESTING_MAX - 1)}
    assert getattr(entity(1, **{name: deep}), name) == deep
    with pytest.raises(ValueError, match=f"^entity row nests its {name} deeper than 32 levels$"):
        entity(1, **{name: {"a": nested(NESTING_MAX)}})


@pytest.mark.parametrize("name", ["created_at", "modified_at"])
@pytest.mark.parametrize("other", [None, 0.5, LAST_SECOND])
def test_a_time_that_no_calendar_has_is_unknown_and_others_stay(name: str, other: float | None) -> None:
    (beside,) = {"created_at", "modified_at"} - {name}
    for odd in (0.0, -1.0, LAST_SECOND + 1, float("inf"), float("nan")):
        made = device(1, **{name: odd, beside: other})
        assert (getattr(made, name), getattr(made, beside)) == (None, other)
    for good in (5e-324, 0.5, LAST_SECOND):
        assert getattr(device(1, **{name: good, beside: other}), name) == good


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (0, 0),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (1 - 2**63, 1 - 2**63),
        (2**63, None),
        (-(2**63), None),
    ],
)
def test_a_number_that_no_store_can_hold_is_unknown(number: int, kept: int | None) -> None:
    assert Floor(floor_id="f", name="F", level=number).level == kept
    assert entity(1, supported_features=number).supported_features == kept


def test_aliases_that_say_nothing_are_the_default_itself() -> None:
    assert b"aliases" not in encode_record(entity(1, aliases=(None,)))
    assert entity(1, aliases=("a", None)).aliases == ("a", None)
    assert b"aliases" in encode_record(entity(1, aliases=("a",)))


def test_ids_are_those_of_the_registry() -> None:
    assert Area(area_id="hall", name="Hall").key == Key("area", "hall")
    assert ConfigEntry(entry_id="e", domain="d").key == Key("config_entry", "e")
