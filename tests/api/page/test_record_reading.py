"""One device or entity: now, then, gone, never there."""

from pathlib import Path

import msgspec
import pytest

from api.http.problems import Problem
from api.page.reading import Reader, at_of
from api.page.record_reading import read_record
from api.page.views.home_index import KeptIndex
from engine.core.compare.diff import Cause
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.report import Report
from tests.api.serving import Api, MemoryTimeline, api_over
from tests.api.test_past import timeline_of_sample
from tests.commandline.reports import added, foreign
from tests.homes import NOON

THEN = at_of("2026-11-23T12:00")
Sample = tuple[Path, Report]


async def first_entity(api: Api) -> tuple[str, str, str]:
    """(entity_id, registry id, device id) of one that has a device."""
    columns = ("id", "device_id")
    rows = await api.rows_reader.read(lambda m: m.page("entity", columns, [("has_device", True)], "", 1))
    entity_id, id_, device_id = rows[0]
    return entity_id, id_, device_id


async def test_a_device_and_its_entities_now_and_then(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        reader = Reader(api.context, KeptIndex())
        entity_id, _, device_id = await first_entity(api)
        now = await read_record(reader, "device", device_id, None)
        then = await read_record(reader, "device", device_id, THEN)
        assert entity_id in [e.entity_id for e in now.entities or ()]
        assert (now.name, now.facts, now.entities) == (then.name, then.facts, then.entities)


async def test_an_entity_is_found_by_either_id_now_and_then(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        reader = Reader(api.context, KeptIndex())
        entity_id, id_, device_id = await first_entity(api)
        found = [
            await read_record(reader, "entity", asked, at)
            for asked in (entity_id, id_)
            for at in (None, THEN)
        ]
        assert {f.name for f in found} == {found[0].name}
        assert f"device?id={device_id}" in [f.href for f in found[0].facts]


async def test_a_deleted_record_still_has_its_timeline(sample: Sample) -> None:
    key = Key("device", "gone")
    revisions = [
        Revision(key, NOON, "create", 1, "b2:1", "r", {"name": "Old lamp"}),
        Revision(key, NOON + 1, "delete", 2, "-", "r", {}),
    ]
    async with api_over(*sample, timeline=MemoryTimeline({}, revisions)) as api:
        record = await read_record(Reader(api.context, KeptIndex()), "device", "gone", None)
        assert (record.is_gone, record.name) == (True, "Old lamp")
        assert [v.word for v in record.versions] == ["Gone", "First seen"]


async def test_without_records_the_page_names_the_setting(api: Api) -> None:
    entity_id, _, _ = await first_entity(api)
    record = await read_record(Reader(api.context, KeptIndex()), "entity", entity_id, None)
    assert record.versions == []
    assert "records.uri" in str(record.versions_missing)


@pytest.mark.parametrize("registry", ["device", "entity"])
@pytest.mark.parametrize("at", [None, THEN])
async def test_a_record_that_never_existed_is_not_found(sample: Sample, registry: str, at: object) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        with pytest.raises(Problem) as refused:
            await read_record(Reader(api.context, KeptIndex()), registry, "never", at)  # type: ignore[arg-type]
        assert refused.value.status == 404


async def test_a_record_that_the_rows_lack_has_a_page(sample: Sample) -> None:
    lacking = added("Lamp", registry="entity", key="e-new", entity_id="light.new", cause=Cause.DRIFT)
    async with api_over(sample[0], msgspec.structs.replace(sample[1], records=(lacking,))) as api:
        for asked in ("light.new", "e-new"):
            record = await read_record(Reader(api.context, KeptIndex()), "entity", asked, None)
            assert (record.name, record.is_gone) == ("Lamp", True)
            assert record.verdict is not None
            assert record.verdict.badge.label == "Missing"
        with pytest.raises(Problem):
            await read_record(Reader(api.context, KeptIndex()), "device", "light.new", None)


async def test_only_records_in_home_assistant_link_to_their_page_there(sample: Sample) -> None:
    async with api_over(*sample, home_assistant_url="http://ha:8123") as api:
        _, _, device_id = await first_entity(api)
        record = await read_record(Reader(api.context, KeptIndex()), "device", device_id, None)
        assert record.home_assistant == f"http://ha:8123/config/devices/device/{device_id}"
    reported = msgspec.structs.replace(sample[1], records=(foreign("Sun", key=device_id),))
    async with api_over(sample[0], reported, home_assistant_url="http://ha:8123") as api:
        record = await read_record(Reader(api.context, KeptIndex()), "device", device_id, None)
        assert record.home_assistant is None


async def test_a_deleted_record_shows_its_last_content(sample: Sample) -> None:
    key = Key("device", "gone")
    fields = {"id": "gone", "name": "Old lamp", "manufacturer": "ACME", "config_entry_id": "x"}
    revisions = [
        Revision(key, NOON, "create", 1, "b2:1", "r", fields),
        Revision(key, NOON + 1, "delete", 2, "-", "r", {}),
    ]
    async with api_over(*sample, timeline=MemoryTimeline({}, revisions)) as api:
        record = await read_record(Reader(api.context, KeptIndex()), "device", "gone", None)
        assert ("manufacturer", "ACME") in [(f.label, f.value) for f in record.facts]
        assert record.verdict is not None
        assert (record.verdict.badge.label, record.verdict.command) == ("Gone", None)


@pytest.mark.parametrize("registry", ["area", "floor", "label", "category", "config_entry"])
async def test_every_registry_has_pages_now_and_then(sample: Sample, registry: str) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        ((id_, *_),) = await api.rows_reader.read(lambda m: m.page(registry, (), [], "", 1))
        now = await read_record(Reader(api.context, KeptIndex()), registry, id_, None)
        then = await read_record(Reader(api.context, KeptIndex()), registry, id_, THEN)
        assert now.name == then.name
        assert not {"created at", "modified at"} & {fact.label for fact in then.facts}
        assert now.verdict is not None
        assert (now.verdict.badge.label, then.verdict) == ("Real", None)
        with pytest.raises(Problem):
            await read_record(Reader(api.context, KeptIndex()), registry, "never", None)
