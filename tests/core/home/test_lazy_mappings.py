"""Columns are mappings like any other, and compute no value that is not read."""

import pytest

from engine.core.home.layered import with_changes
from engine.core.home.lazy_mappings import LazyMapping, LazySequence, Positions


def column(asked: list[int]) -> LazyMapping[str, str]:
    def make(at: int) -> str:
        asked.append(at)
        return "ABC"[at]

    made = LazySequence(3, make)
    return LazyMapping(Positions(3, lambda: "abc"), lambda: made)


def test_a_value_is_made_once_and_only_when_asked_for() -> None:
    asked: list[int] = []
    found = column(asked)
    assert len(found) == 3
    assert "b" in found
    assert list(found) == list(found.keys()) == ["a", "b", "c"]
    assert asked == []
    assert (found["b"], found.get("b"), found.get("x")) == ("B", "B", None)
    assert asked == [1]
    with pytest.raises(KeyError):
        found["x"]


def test_all_of_it_is_a_dict() -> None:
    found = column([])
    plain = {"a": "A", "b": "B", "c": "C"}
    assert found == plain
    assert found != {"a": "A"}
    assert (found == 3) is False
    assert dict(found.items()) == found.copy() == plain
    assert list(found.values()) == ["A", "B", "C"]


def test_it_is_compared_without_being_made_into_a_dict() -> None:
    found = column([])
    assert found == column([])
    assert found == found  # noqa: PLR0124
    assert found == {"a": "A", "b": "B", "c": "C"}
    assert found != {"a": "A", "b": "B", "d": "C"}
    assert found != {"a": "A", "b": "B", "c": None}
    assert found._all is None
    nothing = LazyMapping(Positions(1, lambda: "a"), lambda: [None])
    assert nothing == {"a": None}
    assert nothing != {"b": None}


def test_as_many_values_as_keys_are_asked_for() -> None:
    with pytest.raises(ValueError, match="shorter"):
        LazyMapping(Positions(2, lambda: "ab"), lambda: ["A"]).flat()


def test_a_few_changes_over_a_column_make_no_other_value() -> None:
    asked: list[int] = []
    many = LazySequence(100, lambda at: asked.append(at) or str(at))  # type: ignore[func-returns-value]
    base = LazyMapping(Positions(100, lambda: range(100)), lambda: many)
    later = with_changes(base, {5: "five", 100: "new"}, [7])
    assert len(later) == 100
    assert (later[5], later[100], later.get(7), 7 in later) == ("five", "new", None, False)
    assert set(later.keys()) == {*range(101)} - {7}
    assert set(later) == {*range(101)} - {7}
    assert asked == []
    assert dict(later) == {n: str(n) for n in range(100) if n != 7} | {5: "five", 100: "new"}
    assert base[5] == "5"


def test_made_values_are_a_sequence() -> None:
    squares = LazySequence(4, lambda at: at * at)
    assert list(squares) == [0, 1, 4, 9]
    assert squares[1:3] == [1, 4]
    assert len(squares) == 4
    for position in (4, -1):
        with pytest.raises(IndexError, match=str(position)):
            squares[position]
