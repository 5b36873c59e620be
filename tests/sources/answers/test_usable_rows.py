"""Rows are made into records one by one, and those that cannot be keep their place in the list."""

import json
from typing import Any

import msgspec

from engine.core.records.lenient import read_fields
from engine.core.records.record import Device
from engine.sources.answers.usable_rows import UsableRows


def raw(*rows: Any) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(row).encode()) for row in rows]


def test_an_unusable_row_is_set_aside_with_its_place() -> None:
    rows = UsableRows()
    objects = rows.objects("device", raw({"id": "a"}, 5, {"id": None}, {"id": "b"}))
    records = rows.records(objects, lambda row: read_fields("device", row))

    assert records == [Device(id="a"), Device(id="b")]
    assert [(row.position, row.found) for row in rows.set_aside] == [(2, "number"), (3, "null")]


def test_known_fields_from_the_list_are_added_to_its_rows() -> None:
    assert UsableRows().objects("category", raw({"category_id": "c"}), scope="script") == [
        (1, {"category_id": "c", "scope": "script"})
    ]
