"""Rows of the websocket API as records: copies dropped, versions levelled, strangers kept."""

import json
from typing import Any

import msgspec
import pytest

from engine.core.records.content_hash import content_hash
from engine.core.records.record import Device, Entity, Record
from engine.core.records.set_aside import UnusableRow
from engine.errors import SourceInvalid
from engine.sources.answers.registry_rows import entity_record, extended_rows, has_ordered_aliases, row_record
from tests.sources.recorded_homes import DATA, recorded


def row(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def device(**fields: Any) -> Device:
    record = row_record("device", row(id="d", **fields))
    assert isinstance(record, Device)
    return record


def entity(*, aliases_ordered: bool = True, **fields: Any) -> Entity:
    complete = {"id": "e", "entity_id": "light.a", "unique_id": "u", "platform": "demo", **fields}
    record = entity_record(row(**complete), aliases_ordered=aliases_ordered)
    assert isinstance(record, Entity)
    return record


def test_a_devices_owner_is_read_from_the_field_of_its_version() -> None:
    assert device(config_entry_id="a", config_entries=["a"]).config_entry_id == "a"
    assert device(primary_config_entry="b", config_entries=["a", "b"]).config_entry_id == "b"
    assert device(config_entries=["a"]).config_entry_id == "a"
    assert device(config_entries=["a", "b"]).config_entry_id is None
    assert device(config_entries=[]).config_entry_id is None


def test_copies_for_compatibility_may_go_without_a_change() -> None:
    now = device(
        config_entry_id="a",
        config_subentry_id="s",
        config_entries=["a"],
        config_entries_subentries={"a": ["s"]},
        primary_config_entry="a",
    )
    later = device(config_entry_id="a", config_subentry_id="s")

    assert content_hash(now) == content_hash(later)
    assert now.config_entries == ("a",)


def test_subentries_of_a_shared_device_are_kept_as_a_set() -> None:
    one = device(config_entries=["a", "b"], config_entries_subentries={"a": ["s", None], "b": [None]})
    other = device(config_entries=["b", "a"], config_entries_subentries={"b": [None], "a": [None, "s"]})

    assert one == other
    assert one.config_entries_subentries == {"a": [None, "s"]}


def test_aliases_are_ordered_since_2026_4_and_a_set_before() -> None:
    assert entity(aliases=["b", None, "a"]).aliases == ("b", None, "a")
    assert entity(aliases=["b", "a"], aliases_ordered=False).aliases == (None, "a", "b")
    assert entity(aliases=[], aliases_ordered=False).aliases == (None,)
    assert has_ordered_aliases("2026.4.0")
    assert has_ordered_aliases("2026.3.4") is False
    assert has_ordered_aliases(None) is None


def test_a_unique_id_that_is_a_number_becomes_text() -> None:
    assert entity(unique_id=1234).unique_id == "1234"
    assert entity(unique_id=1234, brand_new="kept").extra == {"brand_new": "kept"}


def test_a_config_entrys_running_state_is_no_part_of_it() -> None:
    entry = {"entry_id": "c", "domain": "demo", "title": "Demo"}
    loaded = row_record("config_entry", row(**entry, state="loaded", reason=None, num_subentries=0))
    failed = row_record("config_entry", row(**entry, state="setup_retry", reason="x", supports_unload=True))

    assert loaded == failed


def test_a_config_entry_never_contains_possible_secrets() -> None:
    record = row_record(
        "config_entry", row(entry_id="c", domain="d", data={"p": "hunter2"}, options={"t": "x"})
    )

    assert record.extra == {}


@pytest.mark.parametrize(
    "registry", ["device", "entity", "area", "floor", "label", "category", "config_entry"]
)
def test_a_key_that_is_unknown_survives(registry: str) -> None:
    folder = DATA / "2026.11.0" / "rich"
    file = {
        "category": "category_registry_list_automation",
        "config_entry": "config_entries_get",
    }.get(registry, f"{registry}_registry_list")
    fields = {**recorded(folder, file)[0], "brand_new": [1, {"a": None}]}
    record: Record = (
        entity_record(row(**fields), aliases_ordered=True)
        if registry == "entity"
        else row_record(registry, row(**fields), scope="automation")
    )

    assert record.extra == {"brand_new": [1, {"a": None}]}


@pytest.mark.parametrize(
    ("registry", "fields"),
    [
        ("device", {"name": "no id"}),
        ("device", {"id": None}),
        ("device", {"id": ""}),
        ("category", {"name": "no id"}),
        ("config_entry", {"entry_id": "c"}),
    ],
)
def test_a_row_without_identity_is_not_used(registry: str, fields: dict[str, Any]) -> None:
    with pytest.raises(UnusableRow, match=registry):
        row_record(registry, row(**fields), scope="automation")


@pytest.mark.parametrize("text", [b"5", b"null", b"[]", b'{"id": '])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(SourceInvalid):
        row_record("device", text)
    with pytest.raises(SourceInvalid):
        entity_record(text, aliases_ordered=True)


def answer(**rows: dict[str, Any] | None) -> msgspec.Raw:
    common = {"unique_id": "u", "platform": "demo", "aliases": ["b", "a"]}
    complete = {
        id_: None if fields is None else {"id": id_, "entity_id": f"light.{id_}", **common, **fields}
        for id_, fields in rows.items()
    }
    return msgspec.Raw(json.dumps(complete).encode())


@pytest.mark.parametrize("aliases_ordered", [True, False])
@pytest.mark.parametrize("odd", [{}, {"unknown": 1}, {"name": 7}, {"area_id": ["a"]}])
def test_extended_rows_are_the_same_records_all_at_once_and_one_by_one(
    odd: dict[str, Any], aliases_ordered: bool
) -> None:
    results = [answer(a={"name": "A"}, gone=None, b={"icon": "mdi:b", **odd}), answer(c={})]
    rows = extended_rows(results, as_records=False, aliases_ordered=aliases_ordered)
    records = extended_rows(results, as_records=True, aliases_ordered=aliases_ordered)

    def record(row: msgspec.Raw | Record) -> Record:
        return row if isinstance(row, Record) else entity_record(row, aliases_ordered=aliases_ordered)

    assert list(records) == list(rows) == ["a", "b", "c"]
    assert {id_: record(row) for id_, row in records.items()} == {id_: record(r) for id_, r in rows.items()}
    assert isinstance(records["c"], Record)
    assert isinstance(records["a"], Record) == (not odd), (
        "an odd row is read leniently, so not with all others"
    )


def test_extended_rows_that_are_decoded_already_stay_as_they_are() -> None:
    decoded = {"light.a": msgspec.Raw(b"{}")}
    assert extended_rows([decoded], as_records=True, aliases_ordered=True) == decoded


@pytest.mark.parametrize("as_records", [True, False])
def test_an_answer_of_another_shape_is_refused(as_records: bool) -> None:
    with pytest.raises(SourceInvalid, match="get_entries"):
        extended_rows([msgspec.Raw(b"[]")], as_records=as_records, aliases_ordered=True)
