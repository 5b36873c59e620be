"""What a running Home Assistant's lists hold beyond their rows: the user's order, and subentries for those who may see them."""

import copy
import json
from typing import Any

import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.lenient import read_object
from engine.core.records.record import ConfigEntry, Key
from engine.sources.files.storage_rows import ENTRY_FIELDS, config_entry_from_store
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant, fake_home_assistant
from tests.sources.recorded_homes import DATA, clock, fake_answers, quiet

pytestmark = pytest.mark.anyio


def answers(version: str = "2026.11.0") -> dict[str, Any]:
    return fake_answers(DATA / version / "rich")


def source(fake: FakeHomeAssistant) -> WebsocketSource:
    return WebsocketSource(fake.uri, TOKEN, clock=clock)


async def read(recorded: dict[str, Any]) -> Snapshot:
    async with fake_home_assistant(recorded) as fake:
        return await source(fake).read(quiet)


async def test_subentries_are_the_same_live_and_stored() -> None:
    recorded = answers()
    entries = copy.deepcopy(recorded["config_entries/get"])
    entries[0]["num_subentries"] = 1
    recorded["config_entries/get"] = entries
    agent = {"subentry_id": "s", "subentry_type": "agent", "title": "Bert", "unique_id": None}
    recorded["config_entries/subentries/list"] = lambda params: (
        [agent] if params["entry_id"] == entries[0]["entry_id"] else []
    )

    live = await read(recorded)
    del recorded["config_entries/subentries/list"]
    without = await read(recorded)

    entry = {name: entries[0][name] for name in ("entry_id", "domain")}
    reported = json.dumps({**entry, "subentries": [{**agent, "data": {"k": 1}}]}).encode()
    stored = config_entry_from_store(read_object("config_entry", reported, ENTRY_FIELDS))
    key = Key("config_entry", entries[0]["entry_id"])
    assert isinstance(stored, ConfigEntry)
    found, unknown = live.home.records[key], without.home.records[key]
    assert isinstance(found, ConfigEntry)
    assert isinstance(unknown, ConfigEntry)
    assert found.subentries == stored.subentries != ()
    assert unknown.subentries == ()
    assert live.home.hashes[key] != without.home.hashes[key]


async def test_the_users_order_is_reported_by_cores_that_have_one() -> None:
    recorded = answers()
    areas = copy.deepcopy(recorded["config/area_registry/list"])
    async with fake_home_assistant(recorded) as fake:
        reader = source(fake)
        first = await reader.read(quiet)
        fake.answers["config/area_registry/list"] = areas[::-1]
        second = await reader.read(quiet)
        third = await reader.read(quiet)

    keys = [Key("area", row["area_id"]) for row in areas]
    assert [first.home.positions[key] for key in keys] == list(range(len(keys)))
    assert [second.home.positions[key] for key in keys] == list(range(len(keys)))[::-1]
    assert second.home.hashes == first.home.hashes
    assert second.home.touched == {
        key for key in keys if first.home.positions[key] != second.home.positions[key]
    }
    assert third.home.generation is second.home.generation


async def test_the_order_of_an_old_cores_lists_means_nothing() -> None:
    async with fake_home_assistant(answers("2024.3.3"), ha_version="2024.3.3") as fake:
        assert (await source(fake).read(quiet)).home.positions == {}
