"""A mapping with changes laid over it equals a dict with the same changes."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.home.layered import Layered, with_changes
from engine.core.home.lazy_mappings import LazyMapping, Positions

BASE = dict.fromkeys(range(200), "base")
KEYS = st.integers(0, 220)
# Few enough at a time that some are laid over what is there, and enough in all that some are not.
CHANGES = st.lists(
    st.tuples(st.dictionaries(KEYS, st.text(max_size=1), max_size=6), st.sets(KEYS, max_size=4))
)


@given(CHANGES, st.booleans())
def test_it_behaves_like_a_dict(
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


def test_a_second_change_lies_over_the_same_entries_as_the_first() -> None:
    second = with_changes(with_changes(BASE, {1: "one"}, ()), {2: "two"}, ())
    assert isinstance(second, Layered)
    assert second.layers[0] is BASE
    assert second.layers[1] == {1: "one", 2: "two"}


def test_one_change_in_sixteen_entries_is_a_small_one() -> None:
    base = dict.fromkeys(range(32), "base")
    assert isinstance(with_changes(base, {1: "one", 2: "two"}, ()), Layered)
    assert isinstance(with_changes(base, {1: "one", 2: "two", 3: "three"}, ()), dict)


def test_changes_of_nothing_are_all_there_is() -> None:
    assert with_changes({}, {1: "one"}, [2]) == {1: "one"}


def test_an_added_and_removed_entry_is_absent() -> None:
    found = with_changes(with_changes(BASE, {300: "new"}, ()), {}, [300])
    assert (300 in found, found.get(300, "none"), found.get(301, "none")) == (False, "none", "none")
    assert found == BASE


def test_any_mapping_can_be_changed() -> None:
    found = with_changes(MappingProxyType(BASE), {1: "one"}, [2])
    assert set(found.keys()) == {*BASE} - {2}
    assert found == {key: "one" if key == 1 else "base" for key in BASE if key != 2}


def test_changes_over_a_column_leave_it_as_it_is() -> None:
    column = LazyMapping(Positions(200, lambda: range(200)), lambda: ["base"] * 200)
    found = with_changes(column, {1: "one", 300: "new"}, [2])
    assert isinstance(found, Layered)
    assert found.untouched() is column
    assert list(found.keys()) == [key for key in range(200) if key != 2] + [300]
    gone = with_changes(found, {}, [300])
    assert list(gone.keys()) == [key for key in range(200) if key != 2]
    assert list(gone.values()) == ["one" if key == 1 else "base" for key in range(200) if key != 2]
    unchanged = with_changes(column, {}, ())
    assert dict(unchanged.items()) == BASE
    assert repr(unchanged) == repr(BASE)
    of_a_dict = with_changes(BASE, {1: "one"}, ())
    assert isinstance(of_a_dict, Layered)
    assert of_a_dict.untouched() is None
