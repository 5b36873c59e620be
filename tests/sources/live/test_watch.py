"""Following a fake core: every change is hinted at, and looked at no further than the hint says."""

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Device, Entity, Key
from engine.errors import SourceUnavailable
from engine.ports import Watch
from engine.sources.live.connection import EVENTS_MAX
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant, fake_home_assistant
from tests.sources.recorded_homes import DATA, clock, entries_answer, fake_answers, quiet

ENTITY_LIST = "config/entity_registry/list"
GET_ENTRIES = "config/entity_registry/get_entries"
AREA_LIST = "config/area_registry/list"
CATEGORY_LIST = "config/category_registry/list"
LABEL_LIST = "config/label_registry/list"
DEVICE_LIST = "config/device_registry/list"
pytestmark = pytest.mark.anyio


class Home:
    """A fake core's rows, which tests edit as a user would, and the watch that follows it."""

    def __init__(self, fake: FakeHomeAssistant, watch: Watch, rows: dict[str, Any]) -> None:
        self.fake = fake
        self.watch = watch
        self.entities = rows

    async def entity_event(self, action: str, entity_id: str, **data: object) -> None:
        await self.fake.push("entity_registry_updated", {"action": action, "entity_id": entity_id, **data})

    async def next(self, newest: Snapshot) -> Snapshot:
        with anyio.fail_after(60):
            return await self.watch.refresh(await self.watch.wait_for_hints(), newest)


@asynccontextmanager
async def watched() -> AsyncIterator[Home]:
    answers = fake_answers(DATA / "2026.11.0" / "rich")
    listed = [row["entity_id"] for row in answers[ENTITY_LIST]]
    rows = copy.deepcopy(answers[GET_ENTRIES]({"entity_ids": listed}))
    answers[GET_ENTRIES] = entries_answer(rows)
    answers[DEVICE_LIST] = copy.deepcopy(answers[DEVICE_LIST])
    async with fake_home_assistant(answers) as fake:
        source = WebsocketSource(fake.uri, TOKEN, clock=clock)
        async with source.watch() as watch:
            yield Home(fake, watch, rows)


async def test_a_changed_entity_is_read_alone() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        asked = len(home.fake.received)
        home.entities["sensor.renamed_one"]["name"] = "New name"
        await home.entity_event("update", "sensor.renamed_one", changes={"name": None})
        after = await home.next(before)
        (changed,) = (k for k, h in after.home.hashes.items() if before.home.hashes[k] != h)
        record = after.home.records[changed]
        assert isinstance(record, Entity)
        assert record.name == "New name"
        assert [c["type"] for c in home.fake.received[asked:]] == [GET_ENTRIES]


async def test_a_rename_keeps_the_key() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        row = home.entities.pop("sensor.renamed_one")
        home.entities["sensor.other"] = row | {"entity_id": "sensor.other"}
        await home.entity_event("update", "sensor.other", old_entity_id="sensor.renamed_one", changes={})
        after = await home.next(before)
        assert after.home.records.keys() == before.home.records.keys()
        renamed = after.home.records[Key("entity", row["id"])]
        assert isinstance(renamed, Entity)
        assert renamed.entity_id == "sensor.other"


async def test_a_removed_entity_is_gone_with_evidence() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        row = home.entities.pop("sensor.renamed_one")
        await home.entity_event("remove", "sensor.renamed_one")
        after = await home.next(before)
        key = Key("entity", row["id"])
        assert before.home.records.keys() - after.home.records.keys() == {key}
        assert after.reading.removed == {key}


async def test_a_remove_event_of_an_entity_that_is_back_removes_nothing() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        await home.entity_event("remove", "sensor.renamed_one")
        after = await home.next(before)
        assert after.home.records.keys() == before.home.records.keys()
        assert after.reading.removed == frozenset()


async def test_an_entity_renamed_and_removed_between_two_reads_is_gone() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        row = home.entities.pop("sensor.renamed_one")
        home.fake.answers[ENTITY_LIST] = [r for r in home.fake.answers[ENTITY_LIST] if r["id"] != row["id"]]
        await home.entity_event("update", "sensor.other", old_entity_id="sensor.renamed_one", changes={})
        await home.entity_event("remove", "sensor.other")
        after = await home.next(before)
        assert before.home.records.keys() - after.home.records.keys() == {Key("entity", row["id"])}


async def test_an_entity_id_that_another_entity_has_unannounced_is_no_contradiction() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        old = home.entities["sensor.renamed_one"]
        home.entities["sensor.renamed_one"] = old | {"id": "f" * 32}
        listed = home.fake.answers[ENTITY_LIST]
        home.fake.answers[ENTITY_LIST] = [r | {"id": "f" * 32} if r["id"] == old["id"] else r for r in listed]
        await home.entity_event("update", "sensor.renamed_one", changes={})
        after = await home.next(before)
        assert Key("entity", "f" * 32) in after.home.records
        assert Key("entity", old["id"]) not in after.home.records


async def test_events_during_a_read_are_part_of_it() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        home.entities["sensor.renamed_one"]["name"] = "New name"
        home.fake.answers[DEVICE_LIST][0]["name_by_user"] = "Mine"
        home.fake.hold[GET_ENTRIES] = anyio.Event()
        await home.entity_event("update", "sensor.renamed_one", changes={"name": None})
        hints = await home.watch.wait_for_hints()
        found: list[Snapshot] = []

        async def refresh() -> None:
            found.append(await home.watch.refresh(hints, before))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(refresh)
                await home.fake.wait_until(lambda fake: fake.received[-1]["type"] == GET_ENTRIES)
                device_event = {"action": "update", "device_id": "x", "changes": {}}
                await home.fake.push("device_registry_updated", device_event)
                home.fake.hold.pop(GET_ENTRIES).set()
        device = found[0].home.records[Key("device", home.fake.answers[DEVICE_LIST][0]["id"])]
        assert isinstance(device, Device)
        assert device.name_by_user == "Mine"


async def test_an_entity_id_that_changed_hands_is_one_gone_and_one_new() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        old = home.entities["sensor.renamed_one"]
        home.entities["sensor.renamed_one"] = old | {"id": "f" * 32}
        await home.entity_event("remove", "sensor.renamed_one")
        await home.entity_event("create", "sensor.renamed_one")
        after = await home.next(before)
        if Key("entity", "f" * 32) not in after.home.records:  # the two events may come apart
            after = await home.next(after)
        assert Key("entity", old["id"]) in after.reading.removed
        assert Key("entity", "f" * 32) in after.home.records


async def test_a_device_event_lists_devices_again() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        devices = home.fake.answers[DEVICE_LIST]
        gone = devices.pop(0)
        devices[0]["name_by_user"] = "Mine"
        data = {"action": "remove", "device_id": gone["id"], "device": gone}
        await home.fake.push("device_registry_updated", data)
        after = await home.next(before)
        key = Key("device", gone["id"])
        assert key not in after.home.records
        assert key in after.reading.removed
        renamed = after.home.records[Key("device", devices[0]["id"])]
        assert isinstance(renamed, Device)
        assert renamed.name_by_user == "Mine"


async def test_a_record_that_leaves_the_list_without_an_event_is_gone_without_evidence() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        gone = home.fake.answers[DEVICE_LIST].pop(0)
        await home.fake.push("device_registry_updated", {"action": "update", "device_id": "x", "changes": {}})
        after = await home.next(before)
        assert Key("device", gone["id"]) not in after.home.records
        assert after.reading.removed == frozenset()


async def test_a_refresh_equals_a_full_read() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        home.entities["sensor.renamed_one"]["area_id"] = "kitchen"
        home.fake.answers[DEVICE_LIST][0]["area_id"] = "kitchen"
        await home.entity_event("update", "sensor.renamed_one")
        refreshed = await home.next(before)
        device_event = {"action": "update", "device_id": "x", "changes": {}}
        await home.fake.push("device_registry_updated", device_event)
        refreshed = await home.next(refreshed)
        listed = {row["id"]: row for row in home.fake.answers[ENTITY_LIST]}
        listed[home.entities["sensor.renamed_one"]["id"]]["modified_at"] += 1
        full = await home.watch.read(quiet)
        assert refreshed.home.row_versions == full.home.row_versions


async def test_a_change_of_state_reads_everything() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        home.fake.state = "STOPPING"
        await home.fake.push("core_config_updated", {})
        assert (await home.next(before)).reading.health.state == "STOPPING"


async def test_a_lost_connection_ends_the_wait() -> None:
    async with watched() as home:
        await home.watch.read(quiet)
        await home.fake.disconnect()
        with anyio.fail_after(60), pytest.raises(SourceUnavailable):
            await home.watch.wait_for_hints()


async def test_an_old_core_that_forbids_some_events_is_followed_for_the_rest() -> None:
    answers = fake_answers(DATA / "2024.3.3" / "rich")
    async with fake_home_assistant(answers) as fake:
        fake.forbidden = {"floor_registry_updated", "label_registry_updated", "category_registry_updated"}
        source = WebsocketSource(fake.uri, TOKEN, clock=clock)
        async with source.watch() as watch:
            before = await watch.read(quiet)
            await fake.push("area_registry_updated", {"action": "update", "area_id": "garten"})
            with anyio.fail_after(60):
                hints = await watch.wait_for_hints()
            assert hints.registries == {"area"}
            # A change without an event is only known when the registry is listed again.
            assert (await watch.refresh(hints, before)).reading.true_at == before.reading.taken_at
            assert before.home.records


async def test_events_beyond_the_buffer_cause_a_full_read() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        home.fake.answers[DEVICE_LIST][0]["name_by_user"] = "Mine"
        reads = home.fake.count(ENTITY_LIST)
        # In one frame, as Home Assistant sends a burst; all of one entity, so that no bound on ids speaks.
        event = {"action": "update", "entity_id": "sensor.renamed_one", "changes": {}}
        await home.fake.push("entity_registry_updated", *[event] * (EVENTS_MAX + 1))
        hints = await home.watch.wait_for_hints()
        assert hints.relist
        after = await home.watch.refresh(hints, before)
        assert home.fake.count(ENTITY_LIST) == reads + 1
        device = after.home.records[Key("device", home.fake.answers[DEVICE_LIST][0]["id"])]
        assert isinstance(device, Device)
        assert device.name_by_user == "Mine"


@pytest.mark.slow
async def test_a_burst_in_several_frames_loses_nothing() -> None:
    async with watched() as home:
        await home.watch.read(quiet)
        frames = 4
        for frame in range(frames):
            ids = (f"light.gone_{number}" for number in range(frame * EVENTS_MAX, (frame + 1) * EVENTS_MAX))
            events = [{"action": "remove", "entity_id": id_} for id_ in ids]
            await home.fake.push("entity_registry_updated", *events)
        reported: set[str] = set()
        with anyio.fail_after(60):
            while len(reported) < frames * EVENTS_MAX:
                hints = await home.watch.wait_for_hints()
                assert not hints.relist
                reported |= hints.removed_entity_ids


async def test_nothing_is_confirmed_while_events_are_unread() -> None:
    async with watched() as home:
        newest = await home.watch.read(quiet)
        assert await home.watch.heartbeat() is not None
        await home.entity_event("update", "sensor.renamed_one", changes={})
        assert await home.watch.heartbeat() is None
        hints = await home.watch.wait_for_hints()
        assert await home.watch.heartbeat() is None
        await home.watch.refresh(hints, newest)
        assert await home.watch.heartbeat() is not None


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_reported_removal_is_evidence_in_a_full_read_too(is_taken: bool) -> None:
    async with watched() as home:
        await home.watch.read(quiet)
        row = home.entities.pop("sensor.renamed_one")
        listed = home.fake.answers[ENTITY_LIST]
        home.fake.answers[ENTITY_LIST] = [r for r in listed if r["id"] != row["id"]]
        home.fake.answers[DEVICE_LIST].pop()
        await home.entity_event("remove", "sensor.renamed_one")
        await home.entity_event("remove", "sensor.never_there")
        await home.entity_event("remove", next(iter(home.entities)))  # it is back
        await home.fake.push("core_config_updated", {})
        if is_taken:
            await home.watch.wait_for_hints()
        else:
            assert await home.watch.heartbeat() is None  # the events have arrived
        after = await home.watch.read(quiet)
        assert after.reading.removed == {Key("entity", row["id"])}
        assert (await home.watch.read(quiet)).reading.removed == frozenset()


@pytest.mark.slow
async def test_registries_without_events_in_an_old_core_are_listed_at_each_heartbeat() -> None:
    answers = copy.deepcopy(fake_answers(DATA / "2024.3.3" / "rich"))
    times = iter(range(1000))
    async with fake_home_assistant(answers) as fake:
        fake.forbidden = {"floor_registry_updated", "label_registry_updated", "category_registry_updated"}
        async with WebsocketSource(fake.uri, TOKEN, clock=lambda: float(next(times))).watch() as watch:
            before = await watch.read(quiet)
            fake.answers[LABEL_LIST][0]["name"] = "Renamed"
            assert await watch.heartbeat() is None
            asked = len(fake.received)
            with anyio.fail_after(60):
                hints = await watch.wait_for_hints()
            after = await watch.refresh(hints, before)
    changed = [k.registry for k, h in after.home.hashes.items() if before.home.hashes[k] != h]
    assert changed == ["label"]
    assert after.reading.true_at == after.reading.taken_at > before.reading.taken_at
    # 2024.3 has no categories, so they are not asked for.
    assert {c["type"] for c in fake.received[asked:]} == {LABEL_LIST, "config/floor_registry/list"}


async def test_an_event_names_a_scope_that_was_unknown() -> None:
    async with watched() as home:
        first = await home.watch.read(quiet)
        rows = {"garden": [{"category_id": "c", "name": "Beds"}]}
        home.fake.answers[CATEGORY_LIST] = lambda params: rows.get(params["scope"], [])
        event = {"action": "create", "scope": "garden", "category_id": "c"}
        await home.fake.push("category_registry_updated", event)
        second = await home.next(first)

        assert Key("category", "garden/c") in second.home.records
        assert second.reading.unread.scopes is not None
        assert "garden" in second.reading.unread.scopes

        home.fake.answers[LABEL_LIST] = []
        await home.fake.push("label_registry_updated", {"action": "remove", "label_id": "x"})
        third = await home.next(second)
        assert (Key("category", "garden/c") in third.home.records, third.reading.unread) == (
            True,
            second.reading.unread,
        )


async def test_a_new_order_of_areas_is_read() -> None:
    async with watched() as home:
        first = await home.watch.read(quiet)
        listed = home.fake.answers[AREA_LIST]
        home.fake.answers[AREA_LIST] = listed[::-1]
        await home.fake.push("area_registry_updated", {"action": "reorder", "area_id": None})
        second = await home.next(first)

        keys = [Key("area", row["area_id"]) for row in listed]
        assert [second.home.positions[key] for key in keys] == list(range(len(keys)))[::-1]
        assert {k: v for k, v in second.home.positions.items() if k.registry == "floor"} == {
            k: v for k, v in first.home.positions.items() if k.registry == "floor"
        }
        assert second.home.row_versions == (await home.watch.read(quiet)).home.row_versions
