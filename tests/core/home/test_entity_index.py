"""The index of entities: the same whether built from all records or updated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.home.entity_index import EntityIndex
from engine.core.records.record import Entity, Key, Record
from engine.errors import SourceInvalid

NAMES = ("light.a", "light.b", "light.c")
DEVICES = ("d1", "d2", None)


def entity(id_: str, entity_id: str, device_id: str | None) -> Entity:
    return Entity(id=id_, entity_id=entity_id, unique_id=id_, platform="demo", device_id=device_id)


# entity_id -> (id, device); so no entity_id occurs twice
homes = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.sampled_from("xyz"), st.sampled_from(DEVICES)), max_size=3
).map(
    lambda home: {
        Key("entity", id_): entity(id_, entity_id, device) for entity_id, (id_, device) in home.items()
    }
)


@given(homes, homes)
def test_carried_along_it_equals_a_newly_built_one(
    before: dict[Key, Record], after: dict[Key, Record]
) -> None:
    carried = EntityIndex.of(before).after(before, after, before.keys() | after.keys())
    built = EntityIndex.of(after)

    assert [carried.key_of(name) for name in NAMES] == [built.key_of(name) for name in NAMES]
    assert [carried.per_device[d] for d in DEVICES] == [built.per_device[d] for d in DEVICES]


def test_one_entity_id_for_two_entities_is_refused_both_ways() -> None:
    first, second = entity("x", "light.a", None), entity("y", "light.a", None)
    before: dict[Key, Record] = {first.key: first}
    after: dict[Key, Record] = {first.key: first, second.key: second}

    with pytest.raises(SourceInvalid, match=r"light\.a for entity/x and entity/y"):
        EntityIndex.of(after)
    with pytest.raises(SourceInvalid, match=r"light\.a for entity/x and entity/y"):
        EntityIndex.of(before).after(before, after, [second.key])


def test_entities_that_stand_in_are_counted_and_found_by_no_entity_id() -> None:
    index = EntityIndex.of({r.key: r for r in (entity("x", "light.a", "d1"), entity("y", "light.b", None))})
    more = index.counting([entity("z", "light.c", "d1"), entity("w", "light.d", "d2")])
    assert more.per_device == {"d1": 2, "d2": 1, None: 1}
    assert (more.key_of("light.a"), more.key_of("light.c")) == (Key("entity", "x"), None)
    assert index.per_device == {"d1": 1, None: 1}
