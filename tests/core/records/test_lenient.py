"""Odd values cost a field at most; only the fields that identify the record must be valid."""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.records.content_hash import content_hash
from engine.core.records.lenient import (
    decode_value,
    read_fields,
    read_object,
    read_row,
    seconds_of,
    whole_number,
    with_article,
)
from engine.core.records.nesting import NESTING_MAX
from engine.core.records.record import RECORD_TYPES, Json
from engine.core.records.record_json import decode_record, encode_record, field_names
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import UnusableRow
from tests.contract.odd_homes import json_values
from tests.homes import NOON

LEAST: dict[str, dict[str, Any]] = {
    "config_entry": {"entry_id": "i", "domain": "d"},
    "floor": {"floor_id": "i", "name": "n"},
    "label": {"label_id": "i", "name": "n"},
    "category": {"category_id": "i", "scope": "s", "name": "n"},
    "area": {"area_id": "i", "name": "n"},
    "device": {"id": "i"},
    "entity": {"id": "i", "entity_id": "a.b", "unique_id": "u", "platform": "p"},
}
DEEP: Json = msgspec.json.decode("[" * (NESTING_MAX + 1) + "]" * (NESTING_MAX + 1))
OTHERS = [(r, n) for r in REGISTRIES for n in field_names(r) if n not in RECORD_TYPES[r].IDENTITY]


@given(st.sampled_from(OTHERS), json_values)
def test_any_value_of_any_other_field_makes_a_record_that_can_be_stored_and_read_back(
    field: tuple[str, str], value: Json
) -> None:
    registry, name = field
    row = {**LEAST[registry], name: value}
    record = read_row(registry, msgspec.json.encode(row))
    assert record == read_fields(registry, row)
    assert record.key == read_fields(registry, LEAST[registry]).key
    assert decode_record(registry, encode_record(record)) == record


@pytest.mark.parametrize("value", [42, 1.5, True, False, ["1.2", 3], {"a": 1}, [], {}, 10**30])
@pytest.mark.parametrize(
    ("registry", "name"), [("device", "sw_version"), ("config_entry", "title"), ("area", "name")]
)
def test_a_text_is_written_and_hashed_as_home_assistant_does(registry: str, name: str, value: Json) -> None:
    odd = read_fields(registry, {**LEAST[registry], name: value})
    assert getattr(odd, name) == str(value)
    assert content_hash(odd) == content_hash(read_fields(registry, {**LEAST[registry], name: str(value)}))


@pytest.mark.parametrize(
    ("registry", "name", "value", "read"),
    [
        ("area", "name", None, ""),
        ("device", "labels", None, ()),
        ("device", "labels", False, ()),
        ("device", "labels", "kitchen", ("kitchen",)),
        ("device", "labels", [5, None, "a", True], ("5", "True", "a")),
        ("device", "identifiers", None, ()),
        ("device", "identifiers", [["a", 1], "b", 5, None], (("a", 1), ("b",), (5,))),
        ("device", "identifiers", {"a": 1}, (({"a": 1},),)),
        ("device", "config_entries_subentries", [1], {}),
        ("device", "disabled_by", False, None),
        ("device", "disabled_by", 5, "5"),
        ("device", "area_id", [], None),
        ("device", "area_id", ["kitchen"], "['kitchen']"),
        ("device", "created_at", "2026-11-23T12:00:00+00:00", 1795435200.0),
        ("device", "created_at", "2026-11-23T14:00:00+02:00", 1795435200.0),
        ("device", "created_at", 10**400, None),
        ("entity", "aliases", None, (None,)),
        ("entity", "aliases", [None, 5, "x"], (None, "5", "x")),
        ("entity", "categories", None, {}),
        ("entity", "categories", {"automation": 5, "script": None}, {"automation": "5"}),
        ("entity", "options", None, {}),
        ("entity", "options", "x", {}),
        ("entity", "capabilities", [1], None),
        ("entity", "has_entity_name", "yes", True),
        ("entity", "supported_features", 2**64, None),
        ("floor", "level", "-1", -1),
        ("floor", "level", 2.0, 2),
        ("floor", "level", 1.5, None),
        ("floor", "level", "first", None),
        ("floor", "level", True, None),
        ("floor", "level", 2**63, None),
        ("config_entry", "pref_disable_polling", None, False),
        ("config_entry", "pref_disable_polling", 1, True),
    ],
)
def test_how_an_odd_value_is_read(registry: str, name: str, value: Json, read: object) -> None:
    assert getattr(read_fields(registry, {**LEAST[registry], name: value}), name) == read


@pytest.mark.parametrize(
    ("registry", "change", "field", "found"),
    [
        ("device", {"id": 5}, "id", "number"),
        ("device", {"id": None}, "id", "null"),
        ("device", {"id": ""}, "id", "text"),
        ("device", {"id": ["i"]}, "id", "list"),
        ("entity", {"unique_id": ["u"]}, "unique_id", "list"),
        ("entity", {"unique_id": None}, "unique_id", "null"),
        ("entity", {"unique_id": True}, "unique_id", "boolean"),
        ("entity", {"entity_id": {}}, "entity_id", "object"),
        ("entity", {"entity_id": ""}, "entity_id", "text"),
        ("entity", {"platform": 5}, "platform", "number"),
        ("category", {"scope": None}, "scope", "null"),
        ("config_entry", {"domain": 7}, "domain", "number"),
    ],
)
def test_a_record_without_identity_is_named(
    registry: str, change: dict[str, Any], field: str, found: str
) -> None:
    with pytest.raises(UnusableRow) as caught:
        read_fields(registry, {**LEAST[registry], **change})
    row = caught.value.row
    assert (row.registry, row.field, row.found) == (registry, field, found)
    article = {"null": "null", "text": "empty", "object": "an object"}.get(found, f"a {found}")
    assert row.reason == f"its {field} is {article}"


@pytest.mark.parametrize("registry", REGISTRIES)
def test_a_field_of_the_identity_that_is_absent_is_named(registry: str) -> None:
    for name in RECORD_TYPES[registry].IDENTITY:
        with pytest.raises(UnusableRow) as caught:
            read_fields(registry, {k: v for k, v in LEAST[registry].items() if k != name})
        assert (caught.value.row.field, caught.value.row.found) == (name, "absent")
        assert caught.value.row.reason == f"it has no {name}"


def test_what_is_known_of_an_unusable_row_is_reported() -> None:
    with pytest.raises(UnusableRow) as caught:
        read_fields("entity", {**LEAST["entity"], "unique_id": [1], "original_name": "Lamp"})
    row = caught.value.row
    assert (row.id, row.entity_id, row.name) == ("i", "a.b", "Lamp")
    assert row.key == read_fields("entity", LEAST["entity"]).key


def test_a_number_that_was_registered_as_a_unique_id_is_text() -> None:
    assert read_row("entity", b'{"id":"i","entity_id":"a.b","unique_id":5,"platform":"p"}').unique_id == "5"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["sw_version", "identifiers", "brand_new", "labels", "area_id"])
def test_what_nests_too_deep_is_set_aside(name: str) -> None:
    value: Json = 1
    for _ in range(NESTING_MAX + 1):
        value = [value]
    with pytest.raises(UnusableRow, match=f"its {name} nests deeper than {NESTING_MAX}") as caught:
        read_fields("device", {"id": "i", name: value})
    assert (caught.value.row.field, caught.value.row.found) == (name, "list")


@pytest.mark.parametrize(
    "text", [b'{"id":"i","x":1e999,"sw_version":1e999}', b'{"id":"i","x":' + b"9" * 5000 + b"}"]
)
def test_numbers_beyond_all_bounds_do_not_cost_the_record(text: bytes) -> None:
    record = read_row("device", text)
    assert decode_record("device", encode_record(record)) == record


@pytest.mark.parametrize(
    ("text", "found"),
    [(b"5", "number"), (b"null", "null"), (b"[]", "list"), (b'"x"', "text"), (b"true", "boolean")],
)
def test_a_row_that_is_no_object_is_named_by_its_type(text: bytes, found: str) -> None:
    for row in (text, msgspec.Raw(text)):
        with pytest.raises(UnusableRow) as caught:
            read_row("device", row)
        error = caught.value.row
        assert (error.field, error.found) == ("(row)", found)
        assert error.reason == f"it is {with_article(found)} and no object"


def test_only_the_named_fields_are_decoded() -> None:
    assert read_object(
        "config_entry", b'{"entry_id":"e","data":{"password":"x"}}', {"entry_id": decode_value}
    ) == {"entry_id": "e"}


@pytest.mark.parametrize("value", [None, True, [], {}, "", "soon", "9999999-01-01"])
def test_an_invalid_time_is_unknown(value: Json) -> None:
    assert seconds_of(value) is None


@pytest.mark.parametrize("name", ["brand_new", "newer"])
def test_an_unknown_key_may_nest_one_level_less_than_a_field(name: str) -> None:
    value: Json = 1
    for _ in range(NESTING_MAX):
        value = [value]
    with pytest.raises(UnusableRow, match="nests its extra deeper") as caught:
        read_fields("device", {"id": "i", name: value})
    assert (caught.value.row.field, caught.value.row.found) == ("(row)", "object")
    assert caught.value.row.reason.endswith("levels")
    assert read_fields("device", {"id": "i", name: value[0]}).extra == {name: value[0]}


def test_text_that_no_encoding_has_is_no_value() -> None:
    assert decode_value(msgspec.Raw(b'"\xff"')) is None
    assert decode_value(msgspec.Raw(b'"\\ud800"')) == "?", "half a character"


def test_an_out_of_range_number_becomes_null_and_a_very_long_one_text() -> None:
    def decoded(text: str) -> Json:
        return decode_value(msgspec.Raw(f"[1e999, {text}]".encode()))

    assert decoded("5") == [None, 5]
    assert decoded("9" * 3_999) == [None, 10**3_999 - 1]
    for digits in (4_000, 5_000):
        assert decoded("9" * digits) == [None, "9" * digits]


def test_a_time_without_a_zone_is_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert seconds_of("2026-11-23T12:00:00") == seconds_of("2026-11-23T14:00:00+02:00") == NOON
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_whole_number_is_exact() -> None:
    assert whole_number(2**53 + 1) == 2**53 + 1


def test_a_record_may_have_a_key_that_is_called_as_our_own_field_is() -> None:
    assert read_fields("device", {"id": "i", "extra": 5, "name": 7}).extra == {"extra": 5}


def test_a_unique_id_may_be_empty() -> None:
    row = {**LEAST["entity"], "unique_id": "", "labels": None}
    assert read_fields("entity", row) == read_fields("entity", {**LEAST["entity"], "unique_id": ""})


@pytest.mark.parametrize(
    ("registry", "row", "known"),
    [
        ("category", {"category_id": "i", "scope": 5}, (None, None, None)),
        ("category", {"category_id": 5, "scope": "s"}, (None, None, None)),
        ("category", {"category_id": "i", "scope": "s", "icon": DEEP}, ("s/i", None, None)),
        ("device", {"id": 5, "entity_id": "a.b", "name": ["Lamp"]}, (None, None, None)),
        ("device", {"id": 5, "name_by_user": "Mine", "name": "Lamp"}, (None, None, "Mine")),
        ("entity", {**LEAST["entity"], "id": 5}, (None, "a.b", None)),
    ],
)
def test_an_unusable_row_is_identified_by_its_known_fields(
    registry: str, row: dict[str, Json], known: tuple[str | None, str | None, str | None]
) -> None:
    with pytest.raises(UnusableRow) as caught:
        read_fields(registry, row)
    found = caught.value.row
    assert (found.id, found.entity_id, found.name) == known


@pytest.mark.parametrize(
    ("type_", "words"),
    [("null", "null"), ("text", "text"), ("object", "an object"), ("list", "a list"), ("number", "a number")],
)
def test_a_type_has_its_article(type_: str, words: str) -> None:
    assert with_article(type_) == words
