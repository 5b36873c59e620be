"""Whether the same answers come again: any other answer, order aside from it, ends the looking."""

from typing import Any

import msgspec
import pytest

from engine.errors import SourceUnavailable
from engine.sources.answers.command_failed import CommandFailed
from engine.sources.unchanged.unmodified import RecordingConnection, is_unmodified

DEVICES, AREAS = "config/device_registry/list", "config/area_registry/list"
CATEGORIES = "config/category_registry/list"


class Core:
    """Answers from a dictionary; a command that is missing is unknown."""

    ha_version = "2026.11.0"

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        self.asked.append(command_type)
        answer = self.answers.get(command_type)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise CommandFailed(command_type, "unknown_command", "unknown")
        return msgspec.Raw(msgspec.json.encode([answer, params]))


async def recorded(core: Core) -> RecordingConnection:
    recording = RecordingConnection(core)
    for command in (DEVICES, AREAS, "get_config"):
        try:
            await recording.command(command)
        except CommandFailed:
            continue
    await recording.command(CATEGORIES, scope="script")
    await recording.command(CATEGORIES, scope="scene")
    return recording


def core(**changes: Any) -> Core:
    return Core({DEVICES: ["d"], CATEGORIES: [], "get_config": {}, **changes})


async def test_the_same_answers_are_recognised_and_only_lists_are_asked_for() -> None:
    etag = (await recorded(core())).etag("v")
    again = core(get_config={"changed": 1})
    assert await is_unmodified(again, "v", etag)
    assert again.asked == [DEVICES, AREAS, CATEGORIES, CATEGORIES]


@pytest.mark.parametrize("changes", [{DEVICES: ["e"]}, {AREAS: []}, {CATEGORIES: ["c"]}, {DEVICES: None}])
async def test_another_answer_is_a_change(changes: dict[str, Any]) -> None:
    etag = (await recorded(core())).etag("v")
    assert not await is_unmodified(core(**changes), "v", etag)


async def test_another_version_is_a_change_before_anything_is_asked() -> None:
    etag = (await recorded(core())).etag("v")
    again = core()
    assert not await is_unmodified(again, "w", etag)
    assert again.asked == []


async def test_an_error_is_neither() -> None:
    etag = (await recorded(core())).etag("v")
    with pytest.raises(SourceUnavailable):
        await is_unmodified(core(**{DEVICES: SourceUnavailable("gone")}), "v", etag)


async def test_of_a_question_asked_twice_the_last_answer_counts() -> None:
    home = core()
    recording = await recorded(home)
    home.answers[DEVICES] = ["later"]
    await recording.command(DEVICES)
    assert await is_unmodified(home, "v", recording.etag("v"))
