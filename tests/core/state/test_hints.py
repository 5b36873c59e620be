"""Hints add up, and none is none."""

from functools import reduce
from operator import or_

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.records.record import Key
from engine.core.state.hints import GatheredHints, Hints
from tests.homes import NOON

some_ids = st.frozensets(st.sampled_from(["a.a", "a.b", "a.c"]))
some_hints = st.builds(
    Hints,
    relist=st.booleans(),
    registries=st.frozensets(st.sampled_from(["device", "area"])),
    entity_ids=some_ids,
    removed_entity_ids=some_ids,
    removed=st.frozensets(st.builds(Key, st.just("device"), st.sampled_from(["d", "e"]))),
)


def test_hints_add_up() -> None:
    one = Hints(entity_ids=frozenset({"a"}), removed=frozenset({Key("device", "d")}))
    two = Hints(relist=True, registries=frozenset({"area"}), removed_entity_ids=frozenset({"b"}))
    assert one | two == Hints(
        relist=True,
        registries=frozenset({"area"}),
        entity_ids=frozenset({"a"}),
        removed_entity_ids=frozenset({"b"}),
        removed=frozenset({Key("device", "d")}),
    )
    assert bool(one)
    assert not Hints()


@pytest.mark.parametrize(
    "hints",
    [
        Hints(relist=True),
        Hints(registries=frozenset({"area"})),
        Hints(entity_ids=frozenset({"a.a"})),
        Hints(removed_entity_ids=frozenset({"a.a"})),
        Hints(removed=frozenset({Key("device", "d")})),
    ],
)
def test_each_kind_of_hint_is_one(hints: Hints) -> None:
    gathered = GatheredHints()
    gathered.add(hints, NOON)
    assert bool(hints)
    assert bool(gathered)


@given(st.lists(some_hints, max_size=8))
def test_gathered_in_place_they_are_the_same(parts: list[Hints]) -> None:
    gathered = GatheredHints()
    for part in parts:
        gathered.add(part, NOON)
    together = reduce(or_, parts, Hints())
    assert bool(gathered) == bool(together)
    assert gathered.take() == together
    assert not gathered
    assert gathered.take() == together, "no read of them has ended"
    gathered.mark_read()
    assert gathered.take() == Hints()


@pytest.mark.parametrize("kind", ["entity_ids", "removed_entity_ids", "removed"])
def test_more_than_can_be_held_ask_for_everything(kind: str) -> None:
    gathered = GatheredHints(ids_max=3)
    for number in range(3):
        gathered.add(one_id(kind, number), NOON)
    assert not gathered.take().relist
    gathered.mark_read()
    for number in range(10):
        gathered.add(one_id(kind, number), NOON)
    taken = gathered.take()
    assert taken.relist
    assert len(getattr(taken, kind)) <= 3


def one_id(kind: str, number: int) -> Hints:
    if kind == "removed":
        return Hints(removed=frozenset({Key("device", str(number))}))
    return msgspec.structs.replace(Hints(), **{kind: frozenset({f"light.l{number}"})})


def test_a_hint_is_unread_until_a_read_ends_that_began_after_it() -> None:
    first, second = Hints(registries=frozenset({"area"})), Hints(registries=frozenset({"floor"}))
    gathered = GatheredHints()
    gathered.add(Hints(), 5.0)
    assert gathered.unread_since is None
    gathered.add(first, 10.0)
    gathered.add(first, 11.0)
    assert gathered.unread_since == 10.0
    gathered.take()
    gathered.add(second, 12.0)
    assert gathered.unread_since == 10.0
    gathered.mark_read()
    assert gathered.unread_since == 12.0
    gathered.add(first, 13.0)
    assert gathered.take() == first | second
    assert gathered.unread_since == 12.0
    gathered.mark_read()
    assert gathered.unread_since is None


def test_more_than_can_be_held_is_unread_since_the_first() -> None:
    gathered = GatheredHints(ids_max=1)
    for number in range(5):
        gathered.add(one_id("entity_ids", number), float(number))
    assert gathered.unread_since == 0.0
