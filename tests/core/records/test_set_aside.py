"""Rows that share an identity are all set aside, and each is reported with its known fields."""

import msgspec
import pytest

from engine.core.records.record import Json, Key, Record
from engine.core.records.set_aside import (
    SetAside,
    UnusableRow,
    json_type,
    listed_twice,
    sorted_rows,
    trusted_records,
)
from tests.homes import ENTRY, device, entity

ODD = SetAside("entity", "unique_id", "list", "its unique_id is a list", "e", "sensor.s1", position=3)


def test_a_record_shares_neither_its_id_nor_its_entity_id_with_a_row_that_is_set_aside() -> None:
    records, rows = trusted_records([entity(1), entity(2)], [ODD])
    assert set(records) == {entity(2).key}
    assert [row.field for row in rows] == ["entity_id", "unique_id"]


def test_none_of_several_rows_is_trusted() -> None:
    records, rows = trusted_records([device(1), device(1, name="Last")], [])
    assert records == {}
    assert [(row.key, row.field) for row in rows] == [(device(1).key, "id")] * 2


@pytest.mark.parametrize("names", [("A", "B", "C"), ("A", "B", "B"), ("A", "A", "A")])
def test_each_of_the_rows_with_one_id_counts(names: tuple[str, ...]) -> None:
    for order in (names, names[::-1]):
        _, rows = trusted_records([device(1, name=name) for name in order], [])
        assert [row.name for row in rows] == list(names)


@pytest.mark.parametrize("order", [1, -1])
def test_an_entity_id_of_any_row_with_a_shared_id_is_taken(order: int) -> None:
    twice = [entity(1), entity(1, entity_id="sensor.other")][::order]
    records, rows = trusted_records([*twice, entity(2, entity_id="sensor.s1"), entity(3)], [])
    assert set(records) == {entity(3).key}
    assert sorted((row.field, row.entity_id) for row in rows) == [
        ("entity_id", "sensor.s1"),
        ("id", "sensor.other"),
        ("id", "sensor.s1"),
    ]


def test_a_row_is_reported_by_its_known_fields() -> None:
    assert ODD.known_as == "entity, row 3, sensor.s1, id e"
    assert SetAside("device", "id", "null", "its id is null").known_as == "device, without an id"
    assert ODD.key == Key("entity", "e")


def test_the_order_does_not_depend_on_the_order_of_the_read() -> None:
    rows = [ODD, listed_twice("device", "id", "d"), ODD]
    assert sorted_rows(rows) == sorted_rows(reversed(rows)) == (rows[1], ODD)


def test_rows_are_sorted_by_registry_then_place_then_id() -> None:
    def row(position: int | None, id_: str | None) -> SetAside:
        return SetAside("device", "name", "null", "its name is null", id_, position=position)

    rows = [row(None, None), row(None, "A"), row(None, "Z"), row(1, None), row(1, "A"), row(2, "A")]
    assert sorted_rows(reversed(rows)) == tuple(rows)


@pytest.mark.parametrize("as_mapping", [False, True])
def test_a_record_with_the_id_of_a_row_that_is_set_aside_is_not_trusted(as_mapping: bool) -> None:
    row = SetAside("device", "name", "number", "its name is a number", device(1).id, position=7)
    gone = SetAside("device", "name", "number", "its name is a number", "none", position=8)
    records: list[Record] = [device(1), device(2)]
    given = {record.key: record for record in records} if as_mapping else records
    found, rows = trusted_records(given, [row, gone])
    assert found == {device(2).key: device(2)}
    assert rows == (listed_twice("device", "id", device(1).id, name="Device 1"), row, gone)


def test_records_that_share_nothing_are_all_trusted() -> None:
    records = {record.key: record for record in (ENTRY, device(1), entity(1), entity(2))}
    assert trusted_records(records, []) == (records, ())


def test_an_entity_that_shares_both_is_reported_by_its_id() -> None:
    twice = [entity(1), entity(1), entity(2, entity_id="sensor.s1")]
    _, rows = trusted_records(twice, [])
    assert [(row.id, row.field, row.entity_id) for row in rows] == [
        (entity(1).id, "id", "sensor.s1"),
        (entity(1).id, "id", "sensor.s1"),
        (entity(2).id, "entity_id", "sensor.s1"),
    ]


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (device(1, name="Lamp", name_by_user="Mine"), "Mine"),
        (device(1, name="Lamp"), "Lamp"),
        (ENTRY, "Demo"),
        (entity(1, original_name="Power"), "Power"),
        (entity(1), None),
    ],
)
def test_what_is_listed_twice_is_reported_by_its_name(record: Record, name: str | None) -> None:
    _, rows = trusted_records([record, record], [])
    field = record.ID_FIELD
    row = SetAside(
        registry=record.REGISTRY,
        field=field,
        found="text",
        reason=f"its {field} is listed more than once",
        id=record.id_value,
        entity_id="sensor.s1" if record.REGISTRY == "entity" else None,
        name=name,
    )
    assert rows == (row, row)


def test_a_row_that_cannot_be_used_is_an_error_that_names_it() -> None:
    error = UnusableRow(ODD)
    assert str(error).startswith(
        "A row of Home Assistant (entity, row 3, sensor.s1, id e) cannot be used: its unique_id is a list. "
        "Nothing was changed."
    )
    assert error.hint is not None
    assert error.hint.startswith("Nothing was changed.")
    assert error.row is ODD
    long = UnusableRow(msgspec.structs.replace(ODD, entity_id="s" * 1_000))
    assert f"entity, row 3, {'s' * (160 - len('entity, row 3, '))})" in str(long)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        ("", "text"),
        (0, "number"),
        (0.5, "number"),
        ({}, "object"),
        ([], "list"),
    ],
)
def test_a_json_value_has_a_type_that_people_know(value: Json, name: str) -> None:
    assert json_type(value) == name
