"""Entities read in two steps: nothing is requested twice, and a rename in between is never a removal."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from engine.core.home.snapshot import make_snapshot
from engine.sources.answers.entity_rows import EntityRows
from engine.sources.answers.listing import Known
from engine.sources.answers.registry_rows import aliases_look_ordered


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


def test_only_entities_with_a_changed_list_row_are_requested() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)
    assert rows.take_list(raw([list_row(1), list_row(2)])) == ["light.n1", "light.n2"]
    first = rows.take_entries([extended(list_row(1)), extended(list_row(2))])

    assert rows.take_list(raw([list_row(1), list_row(2)])) == []
    assert rows.take_entries([]) == first
    changed = list_row(2, name="New", modified_at=2.0)
    assert rows.take_list(raw([list_row(1), changed, list_row(3)])) == ["light.n2", "light.n3"]
    assert ids(rows.take_entries([extended(changed, list_row(3))])) == {"id1", "id2", "id3"}


def test_rows_without_a_signature_are_requested_every_time() -> None:
    rows = EntityRows()
    unstamped = list_row(1, modified_at=None)
    rows.begin(aliases_ordered=True)
    rows.take_list(raw([unstamped]))
    first = rows.take_entries([extended(unstamped)])

    assert rows.take_list(raw([unstamped])) == ["light.n1"]
    again = rows.take_entries([extended(unstamped)])
    assert again is first


MISSING = [raw({"light.n1": None}), raw({}), extended({**list_row(1), "id": "id9"})]


@pytest.mark.parametrize("answer", MISSING)
def test_an_entity_removed_or_renamed_meanwhile_means_to_list_again(answer: msgspec.Raw) -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)

    rows.take_list(raw([list_row(1)]))
    assert rows.take_entries([answer]) is None
    rows.take_list(raw([list_row(1, modified_at=2.0)]))
    assert rows.take_entries([answer]) is None
    rows.take_list(raw([list_row(1, modified_at=2.0)]))
    assert ids(rows.take_entries([extended(list_row(1))])) == {"id1"}


@pytest.mark.parametrize("answer", MISSING)
def test_an_entity_missing_twice_under_one_list_row_is_read_from_the_list_and_requested_again(
    answer: msgspec.Raw,
) -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)
    listed = raw([list_row(1), list_row(2)])
    rows.take_list(listed)
    assert rows.take_entries([answer, extended(list_row(2))]) is None
    rows.take_list(listed)
    entities = rows.take_entries([answer, extended(list_row(2))])

    assert ids(entities) == {"id1", "id2"}
    assert entities is not None
    assert {key.id: "aliases" in names for key, names in entities.partly_read.items()} == {"id1": True}
    assert rows.rows is None
    rows.begin(aliases_ordered=True)
    assert "light.n1" in rows.take_list(listed)
    again = rows.take_entries([extended(list_row(1), list_row(2))])
    assert again is not None
    assert again.partly_read == {}


@pytest.mark.parametrize("entity_id", ["media_player.x__y", "light.Lamp", "light.a b", "light.ä", "nodot"])
def test_an_entity_id_that_is_invalid_today_is_requested_once(entity_id: str) -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)
    listed = raw([list_row(1, entity_id=entity_id), list_row(2)])
    rows.take_list(listed)
    entities = rows.take_entries([extended(list_row(2))], {entity_id})

    assert ids(entities) == {"id1", "id2"}
    assert entities is not None
    assert [key.id for key in entities.partly_read] == ["id1"]
    assert rows.rows is not None
    rows.begin(aliases_ordered=True)
    assert rows.take_list(listed) == []
    assert rows.take_entries([]) is entities


def test_an_extended_row_that_cannot_be_used_gives_way_to_the_list_row() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)
    rows.take_list(raw([list_row(1)]))
    entities = rows.take_entries([raw({"light.n1": {**list_row(1), "platform": None}})])

    assert ids(entities) == {"id1"}


@pytest.mark.parametrize(
    "second",
    [list_row(1), {**list_row(2), "id": "id1"}, {**list_row(2), "entity_id": "light.n1"}],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_no_row_of_those_with_one_id_is_trusted(second: dict[str, Any], *, is_known: bool) -> None:
    rows = EntityRows()
    if is_known:
        rows.begin(aliases_ordered=True)
        rows.take_list(raw([list_row(1)]))
        rows.take_entries([extended(list_row(1))])
    rows.begin(aliases_ordered=True)
    rows.take_list(raw([list_row(1), second, list_row(3)]))
    entities = rows.take_entries([extended(list_row(1), second, list_row(3))])

    assert entities is not None
    found = make_snapshot(
        records=[known.record for known in entities],
        taken_at=0.0,
        origin="test",
        registries=frozenset({"entity"}),
        set_aside=entities.set_aside,
    )
    assert {key.id for key in found.home.records} == {"id3"}
    assert {key.id for key in found.home.set_aside_keys} == {"id1", second["id"]}


def test_a_row_without_an_id_is_set_aside_with_its_position() -> None:
    rows = EntityRows()
    rows.begin(aliases_ordered=True)
    rows.take_list(raw([list_row(1), {**list_row(2), "id": None}]))
    entities = rows.take_entries([extended(list_row(1))])

    assert ids(entities) == {"id1"}
    assert entities is not None
    (row,) = entities.set_aside
    assert (row.position, row.field, row.found, row.entity_id) == (2, "id", "null", "light.n2")


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


def test_a_null_among_the_aliases_shows_a_recent_core() -> None:
    assert aliases_look_ordered(raw({"light.a": {"aliases": []}, "light.b": {"aliases": [None]}}))
    assert not aliases_look_ordered(raw({"light.a": {"aliases": ["x"]}, "light.b": None}))
