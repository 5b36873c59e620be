"""Config subentries: id, type and title from any form of source, and nothing else."""

import json
from typing import Any

import msgspec
import pytest

from engine.sources.answers.commands import CommandFailed
from engine.sources.answers.subentries import (
    LIST_SUBENTRIES,
    decode_subentries,
    subentries_of,
    with_subentries,
)

pytestmark = pytest.mark.anyio
LISTED = [
    {
        "subentry_id": "b",
        "subentry_type": "agent",
        "title": "Bert",
        "unique_id": None,
        "data": {"key": "hunter2"},
    },
    {"subentry_id": "a", "subentry_type": "agent", "title": 7},
]
KEPT = [
    {"subentry_id": "a", "subentry_type": "agent", "title": "7"},
    {"subentry_id": "b", "subentry_type": "agent", "title": "Bert"},
]


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


class Connection:
    """Answers from a table, or refuses with a code."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        assert command_type == LIST_SUBENTRIES
        self.asked.append(str(params["entry_id"]))
        answer = self.answers[self.asked[-1]]
        if isinstance(answer, str):
            raise CommandFailed(command_type, answer, "no")
        return raw(answer)


def test_titles_are_kept_and_data_is_not() -> None:
    assert decode_subentries(raw(LISTED)) == subentries_of(LISTED) == KEPT


@pytest.mark.parametrize("odd", [None, {}, "x", [None, 3, {}, {"subentry_id": ["a"]}, {"subentry_id": ""}]])
def test_an_answer_that_is_not_a_list_of_subentries_has_none(odd: object) -> None:
    assert subentries_of(odd) == []
    assert decode_subentries(raw(odd)) == []
    assert decode_subentries(b"") == []


async def test_subentries_are_requested_for_entries_that_have_some() -> None:
    rows: list[dict[str, Any]] = [
        {"entry_id": "x", "num_subentries": 0},
        {"entry_id": "y", "num_subentries": 2},
        {"entry_id": "z"},
    ]
    connection = Connection({"y": LISTED})

    answer = await with_subentries(connection, raw(rows))

    assert connection.asked == ["y"]
    assert msgspec.json.decode(answer) == [rows[0], {**rows[1], "subentries": KEPT}, rows[2]]


@pytest.mark.parametrize("code", ["unauthorized", "unknown_command"])
async def test_who_may_not_list_them_does_not_know_them(code: str) -> None:
    rows = raw([{"entry_id": entry, "num_subentries": 1} for entry in "ab"])
    connection = Connection({"a": code, "b": code})

    assert await with_subentries(connection, rows) is rows
    assert connection.asked == ["a"]


async def test_an_entry_deleted_in_between_is_left_unchanged() -> None:
    rows: list[dict[str, Any]] = [{"entry_id": entry, "num_subentries": 1} for entry in "ab"]
    answer = await with_subentries(Connection({"a": "not_found", "b": LISTED}), raw(rows))
    assert msgspec.json.decode(answer) == [rows[0], {**rows[1], "subentries": KEPT}]


async def test_an_answer_that_is_not_a_list_of_entries_is_left_to_its_reader() -> None:
    for answer in map(raw, ({}, [3], "x")):
        assert await with_subentries(Connection({}), answer) is answer
