"""Entities that Home Assistant refuses to answer for, or answers null for, read from a live home all the same."""

import copy
from typing import Any

import pytest

from engine.core.records.record import Key
from engine.sources.answers.commands import CommandFailed
from engine.sources.answers.entity_answers import REFUSALS_MAX
from tests.fakes.home_assistant import Refusal, fake_home_assistant
from tests.sources.live.test_websocket import ENTITY_LIST, GET_ENTRIES, answers, extended_rows, read, source
from tests.sources.recorded_homes import entries_answer, quiet, records_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("entity_id", ["media_player.emby__x", "light.Pool_Pump", "light.a b"])
async def test_an_entity_id_that_home_assistant_now_rejects_is_read_from_the_list(
    entity_id: str,
) -> None:
    recorded = answers()
    listed, rows = copy.deepcopy(recorded[ENTITY_LIST]), extended_rows(recorded)
    rows.pop(listed[5]["entity_id"])
    listed[5]["entity_id"] = entity_id

    def entries(params: dict[str, Any]) -> Any:
        wanted = [name.lower() for name in params["entity_ids"]]
        if any("__" in name or " " in name for name in wanted):
            return Refusal("invalid_format", "Entity ID is an invalid entity ID")
        return {name: rows.get(name) for name in wanted}

    async with fake_home_assistant(recorded | {ENTITY_LIST: listed, GET_ENTRIES: entries}) as fake:
        reader = source(fake)
        snapshot = await reader.read(quiet)
        await reader.read(quiet)

    key = Key("entity", listed[5]["id"])
    assert snapshot.home.records[key].entity_id == entity_id  # type: ignore[attr-defined]
    assert set(snapshot.home.partly_read) == {key}
    assert len(records_of(snapshot, "entity")) == len(listed)
    assert fake.count(ENTITY_LIST) == 2
    assert fake.count(GET_ENTRIES) == 2


async def test_a_row_that_cannot_be_written_is_found_by_bisection_and_requested_again() -> None:
    recorded = answers()
    rows, odd = extended_rows(recorded), recorded[ENTITY_LIST][7]

    def entries(params: dict[str, Any]) -> Any:
        if odd["entity_id"] in params["entity_ids"]:
            return Refusal("unknown_error", "Invalid JSON in response")
        return {name: rows[name] for name in params["entity_ids"]}

    async with fake_home_assistant(recorded | {GET_ENTRIES: entries}) as fake:
        reader = source(fake)
        first = await reader.read(quiet)
        learned = reader.learned()
        fake.answers[GET_ENTRIES] = entries_answer(rows)
        second = await reader.read(quiet)

    assert set(first.home.partly_read) == {Key("entity", odd["id"])}
    assert len(first.home.records) == len(second.home.records)
    assert learned is None
    assert second.home.partly_read == {}


async def test_a_core_that_refuses_every_entity_is_not_retried_forever() -> None:
    recorded = answers()

    def entries(params: dict[str, Any]) -> Any:
        return Refusal("unknown_error") if params["entity_ids"] else {}

    async with fake_home_assistant(recorded | {GET_ENTRIES: entries}) as fake:
        snapshot = await source(fake).read(quiet)

    assert len(snapshot.home.partly_read) == len(recorded[ENTITY_LIST])
    assert (
        fake.count(GET_ENTRIES) <= REFUSALS_MAX + 2
    )  # what is left of the chunks, and the command without rows


async def test_a_command_that_is_refused_without_any_row_is_no_fault_of_the_rows() -> None:
    with pytest.raises(CommandFailed, match="get_entries with unknown_error"):
        await read(answers() | {GET_ENTRIES: Refusal("unknown_error")})


async def test_a_user_who_may_not_ask_for_entities_is_reported() -> None:
    with pytest.raises(CommandFailed, match="unauthorized"):
        await read(answers() | {GET_ENTRIES: Refusal("unauthorized")})
