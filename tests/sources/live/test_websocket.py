"""A running Home Assistant, played by the fake: order of questions, old cores, and changes in the middle."""

import copy
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.errors import SettingsError, SourceError, SourceInvalid, SourceRefused, SourceUnavailable
from engine.sources.live import websocket
from engine.sources.live.connection import Connection, open_connection
from engine.sources.live.websocket import ENTITY_LIST_TRIES, WebsocketSource
from tests.examples import first_quick
from tests.fakes.home_assistant import (
    TOKEN,
    FakeHomeAssistant,
    Misbehaviour,
    Refusal,
    fake_home_assistant,
)
from tests.sources.recorded_homes import DATA, clock, entries_answer, fake_answers, quiet, records_of

ENTITY_LIST = "config/entity_registry/list"
GET_ENTRIES = "config/entity_registry/get_entries"
DEVICE_LIST = "config/device_registry/list"
CATEGORY_LIST = "config/category_registry/list"
pytestmark = pytest.mark.anyio


def answers(version: str = "2026.11.0") -> dict[str, Any]:
    return fake_answers(DATA / version / "rich")


def source(fake: FakeHomeAssistant, **options: Any) -> WebsocketSource:
    return WebsocketSource(fake.uri, TOKEN, clock=clock, **options)


async def read(recorded: dict[str, Any], **options: Any) -> Snapshot:
    async with fake_home_assistant(recorded) as fake:
        return await source(fake, **options).read(quiet)


def extended_rows(recorded: dict[str, Any]) -> dict[str, Any]:
    """The extended rows that the fake answers with, by entity_id."""
    entity_ids = [row["entity_id"] for row in recorded[ENTITY_LIST]]
    rows: dict[str, Any] = copy.deepcopy(recorded[GET_ENTRIES]({"entity_ids": entity_ids}))
    return rows


async def test_a_second_read_requests_no_entity_again() -> None:
    async with fake_home_assistant(answers()) as fake:
        reader = source(fake)
        first = await reader.read(quiet)
        asked = fake.count(GET_ENTRIES)
        second = await reader.read(quiet)

    assert fake.count(GET_ENTRIES) == asked == 1
    assert second.home.hashes == first.home.hashes
    assert all(second.home.records[key] is record for key, record in first.home.records.items())


async def test_every_entity_is_requested_again_from_a_core_without_modification_times() -> None:
    async with fake_home_assistant(answers("2024.3.3"), ha_version="2024.3.3") as fake:
        reader = source(fake)
        first = await reader.read(quiet)
        second = await reader.read(quiet)

    assert fake.count(GET_ENTRIES) == 2
    assert second.home.hashes == first.home.hashes


async def test_only_changes_are_requested_and_read() -> None:
    recorded = answers()
    async with fake_home_assistant(recorded) as fake:
        reader = source(fake)
        before = await reader.read(quiet)
        rows = extended_rows(recorded)
        listed = copy.deepcopy(recorded[ENTITY_LIST])
        listed[3].update(name="Renamed", modified_at=listed[3]["modified_at"] + 1)
        rows[listed[3]["entity_id"]].update(name="Renamed")
        fake.answers |= {ENTITY_LIST: listed, GET_ENTRIES: entries_answer(rows)}
        after = await reader.read(quiet)

    assert fake.received[-1]["type"] == "get_config"
    asked = [c["entity_ids"] for c in fake.received if c["type"] == GET_ENTRIES][-1]
    assert asked == [listed[3]["entity_id"]]
    assert {k for k in after.home.hashes if after.home.hashes[k] != before.home.hashes[k]} == {
        Key("entity", listed[3]["id"])
    }


async def test_entities_are_requested_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "ENTITIES_PER_COMMAND", 50)
    async with fake_home_assistant(answers()) as fake:
        snapshot = await source(fake).read(quiet)

    asked = [command["entity_ids"] for command in fake.received if command["type"] == GET_ENTRIES]
    assert [len(entity_ids) for entity_ids in asked] == [50, 50, 11]
    assert len(records_of(snapshot, "entity")) == 111


async def test_a_rename_between_list_and_rows_loses_no_entity() -> None:
    recorded = answers()
    rows = extended_rows(recorded)
    listed = copy.deepcopy(recorded[ENTITY_LIST])
    old = listed[0]["entity_id"]
    rows["light.renamed"] = {**rows.pop(old), "entity_id": "light.renamed"}
    listed[0].update(entity_id="light.renamed")
    lists = iter([recorded[ENTITY_LIST], listed])
    recorded |= {ENTITY_LIST: lambda _: next(lists), GET_ENTRIES: entries_answer(rows)}

    snapshot = await read(recorded)

    assert records_of(snapshot, "entity")[listed[0]["id"]].entity_id == "light.renamed"  # type: ignore[attr-defined]


async def test_a_home_that_never_settles_is_worth_another_try() -> None:
    recorded = answers()
    recorded[GET_ENTRIES] = entries_answer({})
    stamps = count(1)
    listed = recorded[ENTITY_LIST]
    recorded[ENTITY_LIST] = lambda _: [{**row, "modified_at": next(stamps)} for row in listed]
    async with fake_home_assistant(recorded) as fake:
        with pytest.raises(SourceUnavailable):
            await source(fake).read(quiet)

    assert fake.count(ENTITY_LIST) == ENTITY_LIST_TRIES


async def test_categories_are_read_for_every_scope_in_use() -> None:
    recorded = answers()
    rows = extended_rows(recorded)
    rows[recorded[ENTITY_LIST][0]["entity_id"]].update(categories={"garden": "c"})
    garden = [{"category_id": "c", "name": "Beds"}]
    by_scope = recorded[CATEGORY_LIST]
    recorded |= {
        GET_ENTRIES: entries_answer(rows),
        CATEGORY_LIST: lambda params: garden if params["scope"] == "garden" else by_scope(params),
    }

    snapshot = await read(recorded)

    assert {"automation", "helpers", "scene", "script", "garden"} == {
        category_id.partition("/")[0] for category_id in records_of(snapshot, "category")
    }


@pytest.mark.parametrize(
    ("command", "registry"),
    first_quick(
        [
            ("config/area_registry/list", "area"),
            ("config/floor_registry/list", "floor"),
            ("config/label_registry/list", "label"),
            (CATEGORY_LIST, "category"),
            ("config_entries/get", "config_entry"),
        ]
    ),
)
async def test_a_command_that_the_core_does_not_know_is_an_unread_registry(
    command: str, registry: str
) -> None:
    recorded = answers()
    whole = await read(recorded)
    del recorded[command]

    snapshot = await read(recorded)

    assert snapshot.reading.registries == whole.reading.registries - {registry}
    assert not records_of(snapshot, registry)


@pytest.mark.parametrize("command", [DEVICE_LIST, ENTITY_LIST, GET_ENTRIES])
async def test_without_devices_or_entities_there_is_no_snapshot(command: str) -> None:
    recorded = answers()
    del recorded[command]

    with pytest.raises(SourceInvalid, match="unknown_command"):
        await read(recorded)


@pytest.mark.parametrize("command", ["config/floor_registry/list", CATEGORY_LIST])
async def test_a_refused_command_is_no_unknown_one(command: str) -> None:
    recorded = answers()
    recorded[command] = Refusal("unauthorized", "Unauthorized")

    with pytest.raises(SourceInvalid, match="unauthorized"):
        await read(recorded)


@pytest.mark.parametrize("command", ["repairs/list_issues", "config/device_registry/list_composite_splits"])
@pytest.mark.parametrize(
    "answer", first_quick([Refusal("unauthorized"), Refusal("unknown_error"), [], "x", {"issues": 3}])
)
async def test_an_invalid_registry_costs_trust_and_not_the_home(command: str, answer: object) -> None:
    whole = await read(answers())

    snapshot = await read({**answers(), command: answer})

    assert snapshot.home.records == whole.home.records
    assert len(snapshot.reading.health.unread) == 1
    assert whole.reading.health.unread == ()


async def test_a_registry_that_is_not_known_there_is_reported_as_not_read() -> None:
    recorded = answers()
    del recorded["config/floor_registry/list"]

    snapshot = await read(recorded)

    assert "floor" in snapshot.reading.unread.registries["floor"]
    assert snapshot.reading.unread.scopes == frozenset({"automation", "helpers", "scene", "script"})


async def test_categories_are_requested_in_the_stored_scopes() -> None:
    beds = [{"category_id": "c", "name": "Beds"}]
    recorded = answers()
    recorded[CATEGORY_LIST] = lambda params: beds if params["scope"] == "garden" else []

    without = await read(recorded)
    snapshot = await read(recorded, category_scopes=["garden"])

    assert records_of(without, "category") == {}
    assert without.reading.unread.leaves_out(Key("category", "garden/c"))
    assert records_of(snapshot, "category").keys() == {"garden/c"}
    assert not snapshot.reading.unread.leaves_out(Key("category", "garden/c"))


async def test_a_scope_that_is_refused_was_not_read() -> None:
    recorded = answers()
    recorded[CATEGORY_LIST] = lambda params: (
        Refusal("invalid_format") if params["scope"] == "odd scope" else []
    )

    snapshot = await read(recorded, category_scopes=["odd scope"])

    assert snapshot.reading.unread.scopes is not None
    assert "odd scope" not in snapshot.reading.unread.scopes
    assert "category" in snapshot.reading.registries


async def test_repair_issues_and_splits_are_read() -> None:
    recorded = answers()
    issue = "storage_corruption_core.entity_registry_2026-11-23T10:00:00+00:00"
    recorded["repairs/list_issues"] = {"issues": [{"issue_id": issue}]}
    recorded["config/device_registry/list_composite_splits"] = {
        "old": {"split_ids": ["b", "a"], "primary_id": "b"}
    }

    snapshot = await read(recorded)

    assert snapshot.reading.health.corrupt_stores == ("core.entity_registry",)
    assert snapshot.reading.splits == {"old": ("b", "a")}


@pytest.mark.parametrize(("field", "bad"), [("state", "STOPPING"), ("recovery_mode", True)])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_home_assistant_must_be_well_before_and_after(field: str, bad: Any, when: str) -> None:
    recorded = answers()
    good = recorded["get_config"]
    reported = [{**good, field: bad}, good] if when == "before" else [good, {**good, field: bad}]
    configs = iter(reported)
    recorded["get_config"] = lambda _: next(configs)

    assert getattr((await read(recorded)).reading.health, field) == bad


async def test_a_home_with_a_non_text_state_is_doubted_and_mirrored() -> None:
    recorded = answers()
    odd = {**recorded["get_config"], "state": {}}

    snapshot = await read(recorded | {"get_config": odd})

    assert snapshot.home.records == (await read(recorded)).home.records
    assert snapshot.reading.health.unread
    assert snapshot.reading.health.ha_version == "2026.11.0"


@pytest.mark.parametrize("answer", ["no", ["x"], 5, {"recovery_mode": 1}, Refusal("unknown_error")])
async def test_a_home_that_may_be_in_recovery_mode_is_not_read(answer: Any) -> None:
    with pytest.raises(SourceError, match="get_config"):
        await read(answers() | {"get_config": answer})


async def test_recovery_mode_is_reported_even_if_its_lists_look_complete() -> None:
    lists = json.loads((DATA / "2026.11.0" / "recovery_mode_lists.json").read_text(encoding="utf-8"))
    rows = {row["entity_id"]: row for row in lists[ENTITY_LIST]}
    recorded = answers() | lists | {GET_ENTRIES: entries_answer(rows)}

    snapshot = await read(recorded)

    assert snapshot.reading.health.recovery_mode is True
    assert len(records_of(snapshot, "device")) == 1


@pytest.mark.parametrize("change", ["without id", "twice", "wrong type"])
@pytest.mark.parametrize("command", first_quick([DEVICE_LIST, ENTITY_LIST, "config/area_registry/list"]))
async def test_rows_that_cannot_be_trusted_are_set_aside(command: str, change: str) -> None:
    recorded = answers()
    rows = copy.deepcopy(recorded[command])
    id_field = "area_id" if "area" in command else "id"
    if change == "without id":
        del rows[1][id_field]
    elif change == "twice":
        rows.append(rows[0])
    else:
        rows[1][id_field] = ["x"]

    before = await read(recorded)
    snapshot = await read(recorded | {command: rows})

    registry = command.split("/")[1].partition("_")[0]
    row = snapshot.home.set_aside[0]
    lost = rows[0][id_field] if change == "twice" else recorded[command][1][id_field]
    assert (row.registry, row.field) == (registry, id_field)
    assert before.home.records.keys() - snapshot.home.records.keys() == {Key(registry, lost)}


@pytest.mark.parametrize(
    ("misbehaviour", "error"),
    [
        (Misbehaviour.CLOSE, SourceUnavailable),
        (Misbehaviour.ABORT, SourceUnavailable),
        (Misbehaviour.TRUNCATE, SourceInvalid),
        (Misbehaviour.NOT_UTF8, SourceInvalid),
    ],
)
async def test_a_read_that_breaks_off_is_no_snapshot(
    misbehaviour: Misbehaviour, error: type[Exception]
) -> None:
    async with fake_home_assistant(answers()) as fake:
        fake.misbehave["config/area_registry/list"] = misbehaviour
        reader = source(fake)
        with pytest.raises(error):
            await reader.read(quiet)
        fake.misbehave.clear()

        assert len((await reader.read(quiet)).home.records) == 205


async def test_an_answer_beyond_the_bound_names_the_setting() -> None:
    with pytest.raises(SourceInvalid, match="message of more than 20000") as raised:
        await read(answers(), message_bytes_max=20_000)
    assert "source.message_bytes_max" in raised.value.hint


async def test_a_wrong_token_is_refused() -> None:
    async with fake_home_assistant(answers()) as fake:
        with pytest.raises(SourceRefused):
            await WebsocketSource(fake.uri, "wrong", clock=clock).read(quiet)


def test_an_invalid_address_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        WebsocketSource(str(tmp_path), TOKEN)


async def test_progress_shows_how_many_of_how_many() -> None:
    reported: list[tuple[str, int, int | None]] = []
    async with fake_home_assistant(answers()) as fake:
        await source(fake).read(lambda what, done, total: reported.append((what, done, total)))

    assert ("entities", 0, 111) in reported
    assert reported[-1] == ("registry lists", 5, 5)


async def test_only_a_follower_gives_up_an_opening_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[float]()

    @asynccontextmanager
    async def opening(*args: Any, opening_seconds_max: float, **options: Any) -> AsyncIterator[Connection]:
        given.append(opening_seconds_max)
        async with open_connection(*args, opening_seconds_max=opening_seconds_max, **options) as connection:
            yield connection

    monkeypatch.setattr(websocket, "open_connection", opening)
    async with fake_home_assistant(answers()) as fake:
        home = source(fake)
        await home.read(quiet)
        async with home.watch() as watch:
            await watch.read(quiet)
    assert given == [math.inf, 10.0]
