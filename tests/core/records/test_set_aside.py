"""Rows that share an identity are all set aside, and each is reported with what is known about it."""

from engine.core.records.record import Key
from engine.core.records.set_aside import SetAside, listed_twice, sorted_rows, trusted_records
from tests.homes import device, entity

ODD = SetAside("entity", "unique_id", "list", "its unique_id is a list", "e", "sensor.s1", position=3)


def test_a_record_shares_neither_its_id_nor_its_entity_id_with_a_row_that_is_set_aside() -> None:
    records, rows, stand_ins = trusted_records([entity(1), entity(2)], [ODD])
    assert set(records) == {entity(2).key}
    assert [row.field for row in rows] == ["entity_id", "unique_id"]
    assert set(stand_ins) == {entity(1).key}


def test_the_last_of_several_rows_stands_in() -> None:
    records, rows, stand_ins = trusted_records([device(1), device(1, name="Last")], [])
    assert records == {}
    assert [(row.key, row.field) for row in rows] == [(device(1).key, "id")]
    assert stand_ins == {device(1).key: device(1, name="Last")}


def test_a_row_is_reported_by_what_is_known_of_it() -> None:
    assert ODD.known_as == "entity, row 3, sensor.s1, id e"
    assert SetAside("device", "id", "null", "its id is null").known_as == "device, without an id"
    assert ODD.key == Key("entity", "e")


def test_the_order_does_not_depend_on_that_of_the_read() -> None:
    rows = [ODD, listed_twice("device", "id", "d"), ODD]
    assert sorted_rows(rows) == sorted_rows(reversed(rows)) == (rows[1], ODD)
