"""One device or entity: now, then, gone, never there."""

from pathlib import Path

import pytest

from api.http.problems import Problem
from api.page.reading import Reader, at_of
from api.page.record_reading import read_record
from api.page.views.home_index import KeptIndex
from engine.core.home.record import Key
from engine.core.state.report import Report
from engine.ports import Revision
from tests.api.serving import Api, MemoryTimeline, api_over
from tests.api.test_past import timeline_of_sample
from tests.homes import NOON

THEN = at_of("2026-11-23T12:00")
Sample = tuple[Path, Report]


async def first_entity(api: Api) -> tuple[str, str, str]:
    """(entity_id, registry id, device id) of one that has a device."""
    columns = ("id", "device_id")
    rows = await api.inventory.read(lambda m: m.page("entity", columns, [("has_device", True)], "", 1))
    entity_id, id_, device_id = rows[0]
    return entity_id, id_, device_id


async def test_a_device_and_its_entities_now_and_then(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        reader = Reader(api.given, KeptIndex())
        entity_id, _, device_id = await first_entity(api)
        now = await read_record(reader, "device", device_id, None)
        then = await read_record(reader, "device", device_id, THEN)
        assert entity_id in [e.entity_id for e in now.entities or ()]
        assert (now.name, now.facts, now.entities) == (then.name, then.facts, then.entities)


async def test_an_entity_is_found_by_either_id_now_and_then(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        reader = Reader(api.given, KeptIndex())
        entity_id, id_, device_id = await first_entity(api)
        found = [
            await read_record(reader, "entity", asked, at)
            for asked in (entity_id, id_)
            for at in (None, THEN)
        ]
        assert {f.name for f in found} == {found[0].name}
        assert f"device?id={device_id}" in [f.href for f in found[0].facts]


async def test_what_is_gone_still_has_its_timeline(sample: Sample) -> None:
    key = Key("device", "gone")
    revisions = [
        Revision(key, NOON, "create", 1, "b2:1", "r", {"name": "Old lamp"}),
        Revision(key, NOON + 1, "delete", 2, "-", "r", {}),
    ]
    async with api_over(*sample, timeline=MemoryTimeline({}, revisions)) as api:
        record = await read_record(Reader(api.given, KeptIndex()), "device", "gone", None)
        assert (record.is_gone, record.name) == (True, "Old lamp")
        assert [v.word for v in record.versions] == ["Gone", "First seen"]


async def test_without_records_the_page_says_what_to_set(api: Api) -> None:
    entity_id, _, _ = await first_entity(api)
    record = await read_record(Reader(api.given, KeptIndex()), "entity", entity_id, None)
    assert record.versions == []
    assert "records.uri" in str(record.versions_missing)


@pytest.mark.parametrize("registry", ["device", "entity"])
@pytest.mark.parametrize("at", [None, THEN])
async def test_what_never_was_is_not_found(sample: Sample, registry: str, at: object) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        with pytest.raises(Problem) as refused:
            await read_record(Reader(api.given, KeptIndex()), registry, "never", at)  # type: ignore[arg-type]
        assert refused.value.status == 404
