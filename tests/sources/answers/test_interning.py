"""Sharing changes nothing that a record says, and repeated values are held once."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.core.records.record import Entity
from engine.core.records.record_json import encode_record
from engine.process.garbage_collection import without_garbage_collection
from engine.sources.answers.interning import Interner

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def entity(number: int, **fields: object) -> Entity:
    made: Entity = msgspec.convert(
        {"id": f"e{number}", "entity_id": f"light.n{number}", "unique_id": "u", "platform": "demo", **fields},
        Entity,
    )
    return made


@given(st.lists(st.dictionaries(st.sampled_from("ab"), JSON, max_size=2), min_size=1, max_size=6))
def test_interning_does_not_change_records(options: list[dict[str, object]]) -> None:
    records = [entity(n, options=o, capabilities=o) for n, o in enumerate(options)]
    before = [encode_record(record) for record in records]
    values = Interner()
    for record in records:
        values.intern(record)
    assert [encode_record(record) for record in records] == before


def test_repeated_values_are_held_once() -> None:
    first, second = (
        entity(n, device_id="d" * n + "evice"[:5], options={"conversation": {"should_expose": False}})
        for n in (1, 1)
    )
    values = Interner()
    values.intern(first)
    values.intern(second)
    assert first.device_id is second.device_id
    assert first.options is second.options


def test_a_command_shares_nothing() -> None:
    first, second = (entity(1, options={"conversation": {"should_expose": False}}) for _ in range(2))
    with without_garbage_collection():
        values = Interner()
    values.intern(first)
    values.intern(second)
    assert first.options == second.options
    assert first.options is not second.options
