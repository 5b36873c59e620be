"""Rows found by comparing stretches of bytes are the rows that splitting the whole list finds."""

import json
from collections.abc import Iterator
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SourceInvalid
from engine.sources.unchanged.fingerprint import Fingerprint
from engine.sources.unchanged.row_map import RowMap, find_rows

FINGERPRINT = Fingerprint()

# Rows of many lengths, some with what looks like the end of a row, or of the list, inside.
ROWS = st.one_of(
    st.builds(lambda n, text: {"id": n, "name": text}, st.integers(0, 60), st.text(max_size=20)),
    st.builds(lambda n: {"id": n, "nested": [{"a": 1}, {"id": n}, {"b": 2}]}, st.integers(0, 60)),
    st.builds(lambda n: {"id": n, "text": '},{"id":1},{'}, st.integers(0, 60)),
    st.sampled_from([{}, 1, None, "text", []]),
)
LISTS = st.lists(ROWS, max_size=80)


def answer(rows: object, **options: object) -> msgspec.Raw:
    # As Home Assistant writes it: no blanks.
    return msgspec.Raw(json.dumps(rows, **({"separators": (",", ":")} | options)).encode())  # type: ignore[arg-type]


def first(text: msgspec.Raw) -> RowMap:
    return find_rows(FINGERPRINT, None, text, (), "It").rows


@given(LISTS, st.lists(st.tuples(st.integers(0, 79), st.none() | ROWS), max_size=8), LISTS)
def test_the_found_rows_are_those_of_the_answer(
    before: list[object], edits: list[tuple[int, object | None]], added: list[object]
) -> None:
    after = list(before)
    for position, row in edits:
        after[position : position + 1] = [] if row is None else [row]
    after += added
    old = first(answer(before))

    found = find_rows(FINGERPRINT, old, answer(after), set(old), "It")

    whole = find_rows(FINGERPRINT, None, answer(after), (), "It")
    assert list(found.rows) == list(whole.rows)
    assert len(found.rows) == len(after)
    assert found.gone == set(old) - set(whole.rows)
    assert {row.fingerprint for row in found.fresh} == set(whole.rows) - set(old)
    assert all(row == whole.fresh[row.position] for row in found.fresh)


def changed_often(random: Random, rows: list[dict[str, int]]) -> Iterator[list[dict[str, int]]]:
    for number in range(60):
        position = random.randrange(len(rows))
        match number % 3:
            case 0:
                rows[position] = {"id": number, "value": random.randrange(10**9)}
            case 1:
                del rows[position]
            case _:
                rows.insert(position, {"id": 1000 + number})
        yield rows


def test_after_many_changes_a_change_still_costs_little() -> None:
    rows = [{"id": number} for number in range(400)]
    found = find_rows(FINGERPRINT, None, answer(rows), (), "It")
    costs = []
    for now in changed_often(Random(7), rows):
        found = find_rows(FINGERPRINT, found.rows, answer(now), (), "It")
        assert list(found.rows) == list(first(answer(now)))
        costs.append(len(found.fresh))

    # Stretches in pieces are put together again by splitting everything, but seldom.
    assert sum(cost == 400 for cost in costs) <= 2
    assert sorted(costs)[len(costs) // 2] <= 32


def test_the_same_answer_gives_the_same_map() -> None:
    rows = first(answer([{"id": 1}, {"id": 2}]))

    found = find_rows(FINGERPRINT, rows, answer([{"id": 1}, {"id": 2}]), set(rows), "It")

    assert found.rows is rows
    assert (found.fresh, found.gone) == ([], set())


def test_blanks_between_rows_only_cost_time() -> None:
    rows = [{"id": number} for number in range(30)]
    spaced = answer(rows, separators=(", ", ": "))
    indented = answer(rows, indent=2)

    assert len(find_rows(FINGERPRINT, first(spaced), indented, (), "It").rows) == 30
    assert len(find_rows(FINGERPRINT, first(answer(rows)), spaced, (), "It").fresh) == 30
    assert find_rows(FINGERPRINT, first(indented), indented, (), "It").fresh == []


@pytest.mark.parametrize(
    ("row", "instead"),
    [
        (b',{"id":9}', b',,{"id":9}'),
        (b'{"id":9}', b" "),
        (b'{"id":9}', b""),
        (b'{"id":9},', b'{"id":9}'),
        (b'{"id":9}', b'{"id":9}],[{"id":9}'),
        (b'{"id":9}', b'{"id":9'),
        (b'{"id":0}', b'{"id":0'),
        (b'[{"id":0}', b'{"id":0}'),
        (b'[{"id":0}', b'{{"id":0}'),
        (b'{"id":19}]', b'{"id":19}'),
        (b'{"id":19}]', b'{"id":19},]'),
        (b'{"id":19}]', b'{"id":19}]]'),
        (b'{"id":19}]', b'{"id":19}}]'),
    ],
)
def test_a_value_that_is_not_a_list_is_refused(row: bytes, instead: bytes) -> None:
    text = bytes(answer([{"id": number} for number in range(20)]))
    rows = first(msgspec.Raw(text))

    with pytest.raises(SourceInvalid, match=r"^It "):
        find_rows(FINGERPRINT, rows, msgspec.Raw(text.replace(row, instead)), set(rows), "It")


@pytest.mark.parametrize("text", [b"", b"null", b"{}", b"["])
def test_an_answer_that_is_something_else_is_refused(text: bytes) -> None:
    with pytest.raises(SourceInvalid, match=r"^It "):
        find_rows(FINGERPRINT, first(answer([{"id": 1}])), msgspec.Raw(text), (), "It")
