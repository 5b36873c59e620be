"""Records: canonical by construction, tolerant of versions, strict about identity."""

import msgspec
import pytest
from hypothesis import given

from engine.core.records.record import (
    NESTING_MAX,
    Category,
    ConfigEntry,
    Device,
    Entity,
    Key,
    Record,
    canonical_fields,
    decode_record,
    encode_record,
    field_names,
    make_record,
    nests_too_deep,
)
from engine.core.records.registries import REGISTRIES
from engine.errors import SourceInvalid
from tests.homes import device, entity
from tests.strategies import homes


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


def test_stamps_that_mean_unknown_are_none() -> None:
    assert make_record("device", {"id": "x", "created_at": 0.0, "modified_at": 0.0}) == Device(id="x")


def test_a_category_is_identified_by_its_scope_and_id() -> None:
    assert Category(category_id="c", scope="helpers", name="C").key == Key("category", "helpers/c")


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"name": "no id"}, ["device", "id"]),
        ({"id": ""}, ["device", "id"]),
        ({"id": 5}, ["device", "id"]),
        ({"id": "x", "labels": "not a list"}, ["id='x'", "labels"]),
    ],
)
def test_a_row_that_cannot_be_read_names_what_is_wrong(row: dict[str, object], names: list[str]) -> None:
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


def test_the_readable_form_of_a_key() -> None:
    assert str(device(1).key) == f"device/d{1:031x}"
    assert isinstance(entity(1), Entity)


@pytest.mark.parametrize("field", ["extra", "options", "capabilities"])
def test_what_nests_too_deep_is_refused_whichever_way_it_comes(field: str) -> None:
    def row(levels: int) -> bytes:
        name = "unknown_key" if field == "extra" else field
        value = f'{{"a": {"[" * levels}1{"]" * levels}}}'
        return f'{{"id": "i", "entity_id": "a.b", "unique_id": "u", "platform": "p", "{name}": {value}}}'.encode()

    assert decode_record("entity", row(NESTING_MAX - 3)).id_value == "i"
    for levels in (NESTING_MAX, 900, 990, 100_000):
        with pytest.raises(SourceInvalid):
            decode_record("entity", row(levels))


def test_many_brackets_are_no_depth() -> None:
    flat = [[n] for n in range(1000)]
    assert not nests_too_deep(flat)
    assert not nests_too_deep({"text": "[" * 1000})
