"""A mapping with changes laid over it says what a dict with the same changes says."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.home.layered import Layered, with_changes

BASE = dict.fromkeys(range(200), "base")
KEYS = st.integers(0, 220)
# Few enough at a time that some are laid over what is there, and enough in all that some are not.
CHANGES = st.lists(
    st.tuples(st.dictionaries(KEYS, st.text(max_size=1), max_size=6), st.sets(KEYS, max_size=4))
)


@given(CHANGES, st.booleans())
def test_it_says_what_a_dict_says(
    changes: list[tuple[dict[int, str], set[int]]], is_gone_through: bool
) -> None:
    expected = dict(BASE)
    found: Mapping[int, str] = BASE
    for changed, gone in changes:
        expected = {key: value for key, value in expected.items() if key not in gone} | changed
        found = with_changes(found, changed, gone)
        if is_gone_through:
            assert set(found) == set(expected)
        assert len(found) == len(expected)
        assert [found.get(key) for key in range(-1, 222)] == [expected.get(key) for key in range(-1, 222)]
        assert [key in found for key in range(-1, 222)] == [key in expected for key in range(-1, 222)]
    assert found == expected
    assert found.keys() == expected.keys()
    assert found.items() == expected.items()
    assert sorted(found.values()) == sorted(expected.values())
    assert {key: found[key] for key in expected} == expected
    assert dict.fromkeys(range(200), "base") == BASE


def test_what_was_there_before_stays_as_it_was() -> None:
    first = with_changes(BASE, {1: "one"}, [2])
    second = with_changes(first, {2: "two", 3: "three"}, [1])
    assert (first.get(1), first.get(2), first[3]) == ("one", None, "base")
    assert (second.get(1), second[2], second[3]) == (None, "two", "three")
    assert first != second


def test_what_is_gone_has_no_entry_and_all_else_is_shown() -> None:
    found = with_changes(BASE, {1: "one"}, [2])
    with pytest.raises(KeyError, match="2"):
        found[2]
    assert repr(found) == repr({key: "one" if key == 1 else "base" for key in BASE if key != 2})
    assert found != object()


def test_a_small_change_copies_nothing_and_many_are_laid_together() -> None:
    found: Mapping[int, str] = BASE
    for key in range(200):
        found = with_changes(found, {key: "new"}, ())
        if isinstance(found, Layered):
            assert len(found.layers[1]) <= 13
    assert found == dict.fromkeys(range(200), "new")
    small = with_changes(BASE, {1: "one"}, ())
    assert isinstance(small, Layered)
    assert small.layers[0] is BASE
