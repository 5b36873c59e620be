"""Known bytes give known records; one changed row costs one row."""

import json
from typing import Any

import msgspec
import pytest

from engine.core.records.record import Record
from engine.errors import SourceInvalid
from engine.sources.answers.registry_rows import row_record
from engine.sources.unchanged.row_cache import RowCache


class Maker:
    """Makes areas and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, row: msgspec.Raw) -> Record:
        self.made += 1
        return row_record("area", row)


def answer(*rows: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(rows).encode())


KITCHEN = {"area_id": "kitchen", "name": "Kitchen"}
HALL = {"area_id": "hall", "name": "Hall"}


def test_a_row_is_made_into_a_record_once() -> None:
    cache, make = RowCache(), Maker()

    first = cache.records("area", answer(KITCHEN, HALL), make)
    again = cache.records("area", answer(KITCHEN, HALL), make)
    changed = cache.records("area", answer(HALL, {**KITCHEN, "name": "Galley"}), make)

    assert make.made == 3
    assert again == first
    assert [known.record.id_value for known in changed] == ["hall", "kitchen"]
    assert next(iter(changed)).record is list(first)[1].record


def test_one_row_means_different_things_under_different_names() -> None:
    cache, make = RowCache(), Maker()

    cache.records("area", answer(KITCHEN), make)
    cache.records("other", answer(KITCHEN), make)

    assert make.made == 2


def test_a_row_that_cannot_be_used_is_set_aside_with_its_place_and_read_once() -> None:
    cache, make = RowCache(), Maker()
    first = cache.records("area", answer({"name": "no id"}, KITCHEN), make)
    later = cache.records("area", answer(KITCHEN, {"name": "no id"}), make)

    assert [row.position for row in (*first.set_aside, *later.set_aside)] == [1, 2]
    assert [known.record.id_value for known in later] == ["kitchen"]
    assert make.made == 2


def test_an_answer_that_is_no_list_changes_nothing() -> None:
    cache, make = RowCache(), Maker()
    cache.records("area", answer(KITCHEN), make)

    with pytest.raises(SourceInvalid, match="The area list"):
        cache.records("area", msgspec.Raw(b"5"), make)
    cache.records("area", answer(KITCHEN), make)

    assert make.made == 1


@pytest.mark.parametrize("text", [b"null", b'{"a": 1}', b"[1, 2"])
def test_an_answer_that_is_no_list_is_refused(text: bytes) -> None:
    with pytest.raises(SourceInvalid):
        RowCache().records("area", msgspec.Raw(text), Maker())
