"""Values that nest too deep are refused, and next to no others are looked into."""

import pytest

from engine.core.records.nesting import NESTING_MAX, nests_too_deep
from engine.core.records.record import Json
from engine.core.records.record_json import decode_record
from engine.errors import SourceInvalid


@pytest.mark.parametrize("field", ["extra", "options", "capabilities"])
def test_what_nests_too_deep_is_refused_whichever_way_it_comes(field: str) -> None:
    def row(levels: int) -> bytes:
        name = "unknown_key" if field == "extra" else field
        value = f'{{"a": {"[" * levels}1{"]" * levels}}}'
        return f'{{"id": "i", "entity_id": "a.b", "unique_id": "u", "platform": "p", "{name}": {value}}}'.encode()

    assert decode_record("entity", row(NESTING_MAX - 3)).id_value == "i"
    for levels in (NESTING_MAX, 900, 990, 100_000):
        with pytest.raises(SourceInvalid):
            decode_record("entity", row(levels))


def test_many_brackets_are_no_depth() -> None:
    flat = [[n] for n in range(1000)]
    assert not nests_too_deep(flat)
    assert not nests_too_deep({"text": "[" * 1000})


@pytest.mark.parametrize(("levels", "is_too_deep"), [(NESTING_MAX, False), (NESTING_MAX + 1, True)])
def test_the_deepest_that_is_read_has_so_many_levels(levels: int, is_too_deep: bool) -> None:
    # One object, and lists within it; what is beside them has more brackets than any depth.
    value: Json = 1
    for _ in range(levels - 1):
        value = [value]
    assert nests_too_deep({"deep": value}) is is_too_deep
    assert nests_too_deep({"deep": value, "flat": [[] for _ in range(NESTING_MAX)]}) is is_too_deep


def test_what_nests_deeper_than_an_encoder_goes_nests_too_deep() -> None:
    value: Json = 1
    for _ in range(100_000):
        value = [value]
    assert nests_too_deep(value)
