"""Entities read in two steps: nothing asked for twice, and a rename in between is never a removal."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from engine.errors import SourceInvalid
from engine.sources.entity_rows import EntityRows, aliases_look_ordered
from engine.sources.listing import Known


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def list_row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"id{number}",
        "entity_id": f"light.n{number}",
        "unique_id": f"u{number}",
        "platform": "demo",
        "modified_at": 1.0,
        **fields,
    }


def extended(*rows: dict[str, Any]) -> msgspec.Raw:
    return raw({row["entity_id"]: {**row, "aliases": [None], "device_class": "x"} for row in rows})


def ids(entities: Iterable[Known] | None) -> set[str]:
    assert entities is not None
    return {known.record.id_value for known in entities}


def test_only_entities_whose_list_row_changed_are_asked_for() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)
    assert rows.take_list(raw([list_row(1), list_row(2)])) == ["light.n1", "light.n2"]
    first = rows.take_entries([extended(list_row(1)), extended(list_row(2))])

    assert rows.take_list(raw([list_row(1), list_row(2)])) == []
    assert rows.take_entries([]) == first
    changed = list_row(2, name="New", modified_at=2.0)
    assert rows.take_list(raw([list_row(1), changed, list_row(3)])) == ["light.n2", "light.n3"]
    assert ids(rows.take_entries([extended(changed, list_row(3))])) == {"id1", "id2", "id3"}


def test_rows_without_a_stamp_are_asked_for_every_time() -> None:
    rows = EntityRows()
    unstamped = list_row(1, modified_at=None)
    rows.begin(aliases_ordered=True)
    rows.take_list(raw([unstamped]))
    first = rows.take_entries([extended(unstamped)])

    assert rows.take_list(raw([unstamped])) == ["light.n1"]
    again = rows.take_entries([extended(unstamped)])
    assert again is first


def test_an_entity_removed_or_renamed_meanwhile_means_to_list_again() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)

    rows.take_list(raw([list_row(1)]))
    assert rows.take_entries([raw({"light.n1": None})]) is None
    rows.take_list(raw([list_row(1)]))
    assert rows.take_entries([raw({})]) is None
    rows.take_list(raw([list_row(1)]))
    taken_over = extended({**list_row(1), "id": "id9"})
    assert rows.take_entries([taken_over]) is None
    rows.take_list(raw([list_row(1)]))
    assert ids(rows.take_entries([extended(list_row(1))])) == {"id1"}


@pytest.mark.parametrize(
    "second",
    [list_row(1), {**list_row(2), "id": "id1"}, {**list_row(2), "entity_id": "light.n1"}],
)
def test_two_rows_with_one_id_are_refused(second: dict[str, Any]) -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)

    with pytest.raises(SourceInvalid, match="twice"):
        rows.take_list(raw([list_row(1), second]))


def test_a_row_without_an_id_is_refused_with_its_position() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)

    with pytest.raises(SourceInvalid, match=r"Row 2 of the entity list.*`id`"):
        rows.take_list(raw([list_row(1), {"entity_id": "light.x"}]))


def test_an_upgrade_to_ordered_aliases_reads_everything_again() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=False)
    rows.take_list(raw([list_row(1)]))
    rows.take_entries([extended(list_row(1))])

    rows.begin(aliases_ordered=True)

    assert rows.take_list(raw([list_row(1)])) == ["light.n1"]


def test_the_scopes_in_use_are_those_of_the_entities() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)
    row = list_row(1, categories={"garden": "c"})
    other = list_row(2, categories={"garden": "c", "attic": "c"})
    rows.take_list(raw([row, other]))
    rows.take_entries([extended(row), extended(other)])
    assert rows.category_scopes == {"garden", "attic"}

    rows.take_list(raw([row]))
    rows.take_entries([])
    assert rows.category_scopes == {"garden"}


def test_a_null_among_the_aliases_tells_a_recent_core() -> None:
    assert aliases_look_ordered(raw({"light.a": {"aliases": []}, "light.b": {"aliases": [None]}}))
    assert not aliases_look_ordered(raw({"light.a": {"aliases": ["x"]}, "light.b": None}))
