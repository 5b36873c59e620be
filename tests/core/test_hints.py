"""Hints add up, and none is none."""

from engine.core.hints import Hints
from engine.core.record import Key


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
