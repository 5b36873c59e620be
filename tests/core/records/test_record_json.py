"""Rows and JSON become records, and records JSON."""

import msgspec
import pytest
from hypothesis import given

from engine.core.records.record import (
    ConfigEntry,
    Record,
)
from engine.core.records.record_json import (
    canonical_fields,
    decode_record,
    encode_record,
    field_names,
    make_record,
)
from engine.core.records.registries import REGISTRIES
from engine.errors import SourceInvalid
from tests.strategies import homes


def test_unknown_keys_survive_unless_they_say_nothing() -> None:
    made = make_record(
        "area", {"area_id": "a", "name": "A", "climate": {"b": 1}, "x": None, "y": [], "z": False}
    )
    assert made.extra == {"climate": {"b": 1}}


def test_a_key_called_extra_is_an_unknown_key_like_any_other() -> None:
    data = b'{"area_id":"a","name":"A","extra":{"deep":1}}'
    made = decode_record("area", data)
    assert made.extra == {"extra": {"deep": 1}}
    assert decode_record("area", encode_record(made)) == made


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"name": "no id"}, ["device", "id"]),
        ({"id": ""}, ["device", "id"]),
        ({"id": 5}, ["device", "id"]),
        ({"id": "x", "labels": "not a list"}, ["id='x'", "labels"]),
    ],
)
def test_an_unreadable_row_names_its_fault(row: dict[str, object], names: list[str]) -> None:
    with pytest.raises(SourceInvalid) as caught:
        make_record("device", row)
    for name in names:
        assert name in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"id":', b"\xff\xfe", b'"text"', b"{'id': 1}"])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(SourceInvalid):
        decode_record("device", data)


def test_secrets_of_config_entries_have_no_field_to_live_in() -> None:
    assert not {"data", "options"} & set(field_names("config_entry"))
    assert "data" not in canonical_fields(ConfigEntry(entry_id="e", domain="d"))


@given(homes())
def test_every_record_survives_encoding(home: list[Record]) -> None:
    for record in home:
        assert decode_record(record.REGISTRY, encode_record(record)) == record


def test_every_registry_has_a_key_and_a_decoder() -> None:
    rows = {
        "config_entry": {"entry_id": "i", "domain": "d"},
        "floor": {"floor_id": "i", "name": "n"},
        "label": {"label_id": "i", "name": "n"},
        "category": {"category_id": "i", "scope": "s", "name": "n"},
        "area": {"area_id": "i", "name": "n"},
        "device": {"id": "i"},
        "entity": {"id": "i", "entity_id": "a.b", "unique_id": "u", "platform": "p"},
    }
    assert tuple(rows) == REGISTRIES
    for registry, row in rows.items():
        assert decode_record(registry, msgspec.json.encode(row)).key.registry == registry


@pytest.mark.parametrize(
    ("row", "identity"),
    [
        ({"id": "x", "entity_id": "sensor.s", "name": "Lamp"}, "id='x'"),
        ({"id": "", "entity_id": "sensor.s", "name": "Lamp"}, "entity_id='sensor.s'"),
        ({"area_id": "attic", "name": "Lamp"}, "area_id='attic'"),
        ({"name": "Lamp"}, "name='Lamp'"),
        ({"model": "M"}, "no id"),
        ({"id": "x" * 100}, "id='" + "x" * 76),
    ],
)
def test_an_unreadable_row_is_named_by_its_own_fields(row: dict[str, object], identity: str) -> None:
    with pytest.raises(SourceInvalid) as caught:
        make_record("device", {**row, "labels": 7})
    text = str(caught.value)
    assert text.startswith(f"A device row ({identity}) cannot be read: Expected `array`, got `int`")
    assert text.endswith(
        ". Nothing was changed. If this Home Assistant is newer than this program, update the program."
    )


def test_what_is_no_json_object_is_called_so() -> None:
    with pytest.raises(SourceInvalid, match=r"^A device row is not valid JSON: .+\.$"):
        decode_record("device", b"{")
    with pytest.raises(SourceInvalid, match=r"^A device row is not a JSON object: .+\.$"):
        decode_record("device", b"[]")


def test_a_zero_or_an_empty_text_is_still_a_value() -> None:
    row = {"area_id": "a", "name": "A", "zero": 0, "text": "", "list": [0], "object": {"x": None}, "no": {}}
    assert make_record("area", row).extra == {"zero": 0, "text": "", "list": [0], "object": {"x": None}}


def test_the_names_of_fields_are_those_of_the_record_in_their_order() -> None:
    assert field_names("floor") == (
        "created_at",
        "modified_at",
        "floor_id",
        "name",
        "level",
        "aliases",
        "icon",
    )
