"""A command that is refused is taken apart, down to the rows at fault, and not forever."""

from collections.abc import Callable

import msgspec
import pytest

from engine.sources.answers import entity_answers
from engine.sources.answers.commands import CommandFailed
from engine.sources.answers.entity_answers import Answers, ask_for_entries, is_valid
from tests.sources.recorded_homes import quiet

pytestmark = pytest.mark.anyio
IDS = [f"light.n{number}" for number in range(40)]


class Core:
    """Refuses every request with one of the entity_ids at fault."""

    def __init__(self, is_at_fault: Callable[[str], bool], code: str = "unknown_error") -> None:
        self._is_at_fault = is_at_fault
        self._code = code
        self.asked: list[list[str]] = []

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        ids = params["entity_ids"]
        assert isinstance(ids, list)
        self.asked.append(ids)
        if any(map(self._is_at_fault, ids)):
            raise CommandFailed(command_type, self._code, "refused")
        return msgspec.Raw(msgspec.json.encode({id_: {"id": id_} for id_ in ids}))


class Broken(Core):
    """Refuses the command itself."""

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        raise CommandFailed(command_type, "unknown_error", "refused")


def answered(answers: Answers) -> set[str]:
    return {id_ for result in answers.results for id_ in msgspec.json.decode(result)}


async def test_the_rows_at_fault_are_found_and_all_others_answered() -> None:
    core = Core(lambda id_: id_ in ("light.n3", "light.n17"))
    answers = await ask_for_entries(core, IDS, 20, quiet)

    assert answers.refused == {"light.n3", "light.n17"}
    assert answered(answers) == set(IDS) - answers.refused
    assert len(core.asked) < 20


async def test_entity_ids_that_are_none_today_do_not_cost_the_others_a_refusal() -> None:
    core = Core(lambda id_: not is_valid(id_), "invalid_format")
    answers = await ask_for_entries(core, [*IDS, "light.a__b", "light.A"], 1000, quiet)

    assert answers.refused == {"light.a__b", "light.A"}
    assert core.asked[0] == IDS


async def test_a_core_that_refuses_everything_is_not_retried_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entity_answers, "REFUSALS_MAX", 5)
    core = Core(lambda _: True)
    answers = await ask_for_entries(core, IDS, 10, quiet)

    assert answers == Answers([], set(IDS))
    assert len(core.asked) <= 11, "the tries, and whether the command works at all"


async def test_a_command_that_always_fails_is_not_blamed_on_rows() -> None:
    with pytest.raises(CommandFailed, match="unknown_error"):
        await ask_for_entries(Broken(lambda _: True), IDS[:1], 10, quiet)


@pytest.mark.parametrize("code", ["unauthorized", "unknown_command"])
async def test_errors_that_are_not_about_rows_are_reported(code: str) -> None:
    with pytest.raises(CommandFailed, match=code):
        await ask_for_entries(Core(lambda _: True, code), IDS, 10, quiet)


@pytest.mark.parametrize("entity_id", ["light.a", "sensor.a_1", "a1.b2"])
def test_an_entity_id_that_home_assistant_accepts_is_valid(entity_id: str) -> None:
    assert is_valid(entity_id)


@pytest.mark.parametrize(
    "entity_id", ["a.b__c", "A.b", "a.b c", "a", ".b", "a.", "a._b", "a.b_", "_a.b", "a.b.c", "a.b\n"]
)
def test_an_entity_id_that_home_assistant_rejects_is_invalid(entity_id: str) -> None:
    assert not is_valid(entity_id)
