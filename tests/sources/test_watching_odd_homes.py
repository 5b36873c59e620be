"""Following a home with odd rows: what changes is seen as in any other, and nothing ends the following."""

from typing import Any

import pytest

from engine.core.records.record import Device, Entity, Key
from tests.fakes.home_assistant import Refusal
from tests.sources.live.test_watch import DEVICE_LIST, ENTITY_LIST, GET_ENTRIES, Home, watched
from tests.sources.recorded_homes import quiet

pytestmark = pytest.mark.anyio
ODD = "media_player.emby__x"


def make_odd(home: Home) -> dict[str, Any]:
    """Give an entity an entity_id that Home Assistant refuses to answer for; returns its list row."""
    listed = [dict(row) for row in home.fake.answers[ENTITY_LIST]]
    home.entities.pop(listed[5]["entity_id"])
    listed[5]["entity_id"] = ODD
    answer = home.fake.answers[GET_ENTRIES]
    home.fake.answers[GET_ENTRIES] = lambda params: (
        Refusal("invalid_format") if ODD in params["entity_ids"] else answer(params)
    )
    home.fake.answers[ENTITY_LIST] = listed
    return listed[5]


async def test_an_entity_that_home_assistant_does_not_answer_for_is_read_from_the_list_when_it_changes() -> (
    None
):
    async with watched() as home:
        row = make_odd(home)
        before = await home.watch.read(quiet)
        row["name"] = "New name"
        row["modified_at"] += 1
        await home.entity_event("update", ODD, changes={"name": None})
        after = await home.next(before)
        record = after.home.records[Key("entity", row["id"])]
        assert isinstance(record, Entity)
        assert record.name == "New name"
        assert after.home.partly_read.keys() == {record.key}


async def test_an_entity_becomes_odd_and_is_well_again() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        row = home.entities["sensor.renamed_one"]
        key = Key("entity", row["id"])
        listed = next(r for r in home.fake.answers[ENTITY_LIST] if r["id"] == row["id"])
        good = row["unique_id"]
        listed["unique_id"] = row["unique_id"] = ["a", "list"]
        listed["modified_at"] += 1
        await home.entity_event("update", "sensor.renamed_one", changes={})
        odd = await home.next(before)
        assert odd.home.set_aside_keys == {key}
        assert before.home.records.keys() - odd.home.records.keys() == {key}
        assert odd.reading.removed == frozenset()
        listed["unique_id"] = row["unique_id"] = good
        listed["modified_at"] += 1
        await home.entity_event("update", "sensor.renamed_one", changes={})
        after = await home.next(odd)
        assert after.home.records.keys() == before.home.records.keys()
        assert after.home.set_aside == ()


async def test_a_list_with_an_odd_row_is_followed_and_the_row_is_not_gone() -> None:
    async with watched() as home:
        before = await home.watch.read(quiet)
        devices = home.fake.answers[DEVICE_LIST]
        odd_key, other = Key("device", devices[1]["id"]), devices[2]
        devices[1]["id"] = 5
        other["name_by_user"] = "Renamed"
        await home.fake.push("device_registry_updated", {"action": "update", "device_id": other["id"]})
        odd = await home.next(before)
        assert [row.registry for row in odd.home.set_aside] == ["device"]
        assert before.home.records.keys() - odd.home.records.keys() == {odd_key}
        asked = len(home.fake.received)
        other["name_by_user"] = "Renamed again"
        await home.fake.push("device_registry_updated", {"action": "update", "device_id": other["id"]})
        after = await home.next(odd)
        record = after.home.records[Key("device", other["id"])]
        assert isinstance(record, Device)
        assert record.name_by_user == "Renamed again"
        assert after.home.set_aside == odd.home.set_aside
        # What was odd before does not make each change a full read.
        assert [c["type"] for c in home.fake.received[asked:]] == [DEVICE_LIST]
