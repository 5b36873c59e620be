"""The data of the sections, and the messages when it cannot be read."""

from pathlib import Path

import pytest

from api.http.problems import Problem
from api.page.reading import Reader, at_of
from api.page.views.home import PAGE_SIZE, HomeQuery
from api.page.views.home_index import KeptIndex
from engine.core.records.record import Area
from engine.core.state.report import Report
from tests.api.serving import Api, api_over, write_home
from tests.api.test_past import timeline_of_sample
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import sql

THEN = "2026-11-23T12:00"
Sample = tuple[Path, Report]


async def test_the_front_page_is_read_in_one_job_and_its_index_kept(api: Api) -> None:
    reader = Reader(api.context, KeptIndex())
    jobs = api.rows_reader.jobs
    first = await reader.front(HomeQuery())
    assert api.rows_reader.jobs == jobs + 1
    assert first.home is not None
    assert (first.home.device_count, first.home.entity_count) == (72, 111)
    pages = api.rows_reader.pages
    assert (await reader.front(HomeQuery())).index is first.index
    assert api.rows_reader.pages == pages, "no commit since"


async def test_a_commit_makes_a_new_index(rows: Path, sample: Sample) -> None:
    async with api_over(rows, sample[1]) as api:
        reader = Reader(api.context, KeptIndex())
        await reader.front(HomeQuery())
        sql(rows, "DELETE FROM devices")
        home = await reader.home(HomeQuery())
        assert home.device_count == 0


async def test_a_search_finds_entities_too(api: Api) -> None:
    reader = Reader(api.context, KeptIndex())
    assert (await reader.home(HomeQuery(q="BED light"))).entities[0].entity_id == "light.bed_light"
    assert (await reader.home(HomeQuery())).entities == []
    loose = await reader.home(HomeQuery(loose=True))
    assert len(loose.entities) == loose.entities_found == loose.loose_count > 0


async def test_an_area_has_as_many_entities_as_it_lists(tmp_path: Path, sample: Sample) -> None:
    bath = (Area(area_id="kitchen", name="Kitchen"), Area(area_id="bath", name="Bath"))
    lamp = (device(1, area_id="kitchen"), entity(1, device_id=device(1).id, area_id="bath"))
    await write_home(tmp_path / "rows.db", snapshot(ENTRY, *bath, *lamp))
    for rows in (tmp_path / "rows.db", sample[0]):
        async with api_over(rows, sample[1]) as api:
            reader = Reader(api.context, KeptIndex())
            for area in (await reader.home(HomeQuery())).areas:
                chosen = await reader.home(HomeQuery(area=area.id))
                assert (chosen.found, chosen.entities_found) == (area.devices, area.entities)
                assert len(chosen.entities) == min(area.entities, PAGE_SIZE)


async def test_devices_and_entities_are_found_by_former_name_id_and_model(tmp_path: Path) -> None:
    lamp = {
        "manufacturer": "Acme",
        "model_id": "LM-7",
        "identifiers": (("hue", "00:17"),),
        "sw_version": "1.9",
    }
    old = (
        ENTRY,
        device(1, name="Mango", **lamp),
        entity(1, entity_id="light.mango", original_name="Glow", unique_id="uq-9", device_id=device(1).id),
    )
    await write_home(tmp_path / "rows.db", snapshot(*old))
    new = (
        ENTRY,
        device(1, name="Pear", name_by_user="Reading lamp", **lamp),
        entity(1, entity_id="light.pear", original_name="Shine", unique_id="uq-9", device_id=device(1).id),
    )
    await write_home(tmp_path / "rows.db", snapshot(*new), "r2")
    async with api_over(tmp_path / "rows.db") as api:
        reader = Reader(api.context, KeptIndex())

        async def found(text: str) -> tuple[list[str], list[str]]:
            view = await reader.home(HomeQuery(q=text))
            return [d.name for g in view.groups for d in g.devices], [e.entity_id for e in view.entities]

        for text in ("reading", "pear", "MANGO", "lm-7", "00:17", "1.9", device(1).id, "acme pear"):
            assert (await found(text))[0] == ["Reading lamp"], text
        for text in ("shine", "glow", "light.mango", "light.pear", "uq-9", entity(1).id, "mango shine"):
            assert (await found(text))[1] == ["light.pear"], text


async def test_the_home_then_is_found_as_the_one_now(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        reader = Reader(api.context, KeptIndex())
        for now in (HomeQuery(), HomeQuery(q="light"), HomeQuery(area="kitchen"), HomeQuery(loose=True)):
            then = HomeQuery(now.q, now.area, now.loose, now.page, THEN)
            assert await reader.home(then) == await reader.home(now)


async def test_a_time_before_the_records_is_reported_beside_the_other_results(sample: Sample) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        read = await Reader(api.context, KeptIndex()).front(HomeQuery(at="2020-01-01"))
        assert read.home is None
        assert "do not reach back" in str(read.error)
        assert read.changes is not None


async def test_a_store_that_cannot_be_read_is_an_error_beside_the_rest(tmp_path: Path) -> None:
    async with api_over(tmp_path / "none.db", looked=False) as api:
        read = await Reader(api.context, KeptIndex()).front(HomeQuery())
        assert (read.home, read.changes) == (None, None)
        assert "no rows file" in str(read.error)


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert at_of("") is None
    assert at_of("2026-11-23T12:00") == at_of("2026-11-23T12:00:00Z") == at_of("2026-11-23T13:00+01:00")
    for text in ("yesterday", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"):
        with pytest.raises(Problem, match="not a time"):
            at_of(text)
