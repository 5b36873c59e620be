"""Devices and entities as tables."""

import html
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from api.http.problems import Problem
from api.http.queries import parse_query
from api.page.views.table import COLUMNS, TableQuery
from engine.core.records.record import Area
from engine.replicas.rows.columns import TABLES
from tests.api.page.markup import Markup
from tests.api.serving import Api, api_over, write_home
from tests.commandline.reports import foreign
from tests.homes import ENTRY, device, entity, snapshot

HOME = snapshot(
    ENTRY,
    Area(area_id="attic", name="Attic"),
    device(1, name="Zebra", area_id="attic", sw_version="1.0"),
    device(2, name="apple", sw_version="2.0", disabled_by="user"),
    device(3, name="Sun"),
    device(4, name="Sun"),
    entity(1, entity_id="light.zebra", device_id=device(1).id, name="Lamp"),
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    reported = await write_home(tmp_path / "rows.db", HOME)
    reported = msgspec.structs.replace(reported, records=(foreign("Sun", key=device(4).id),))
    async with api_over(tmp_path / "rows.db", reported, home_assistant_url="http://ha:8123") as made:
        yield made


async def table(api: Api, path: str) -> tuple[list[str], Markup]:
    """(the names that are in the first column, the page)."""
    response = await api.client.get(path)
    assert response.status_code == 200, response.text
    markup = Markup(response.text)
    return [e.text.removesuffix(" disabled") for e in markup.all("th", scope="row")], markup


def test_every_column_that_sorts_is_one_of_the_store() -> None:
    for registry, columns in COLUMNS.items():
        assert {column for _, column in columns if column} <= set(TABLES[registry].sql_names)


async def test_devices_are_sorted_by_their_columns(api: Api) -> None:
    assert (await table(api, "/devices"))[0] == ["apple", "Sun", "Sun", "Zebra"]
    names, markup = await table(api, "/devices?sort=-sw_version")
    assert names[:2] == ["apple", "Zebra"]
    (sorted_by,) = [e for e in markup.all("th") if "aria-sort" in e.attributes]
    assert (sorted_by["aria-sort"], "Firmware" in sorted_by.text) == ("descending", True)


async def test_facets_count_and_filter(api: Api) -> None:
    names, markup = await table(api, "/devices?sw_version=2.0")
    assert names == ["apple"]
    chosen = [e.text for e in markup.all("option") if "selected" in e.attributes]
    assert "2.0 (1)" in chosen
    assert (await table(api, "/devices?state=foreign"))[0] == ["Sun"]
    assert (await table(api, "/devices?disabled=true"))[0] == ["apple"]
    assert (await table(api, "/devices?area_id=attic"))[0] == ["Zebra"]
    assert (await table(api, f"/entities?q={device(1).id}"))[0] == ["Zebra Lamp"]


async def test_two_suns_are_distinguished(api: Api) -> None:
    _, markup = await table(api, "/devices?q=sun")
    badges = [e.text for e in markup.all("span") if "badge" in (e.attributes.get("class") or "")]
    assert sorted(badges) == ["Foreign", "Real"]


async def test_shown_rows_are_available_as_csv_and_json(api: Api) -> None:
    _, markup = await table(api, "/devices?q=sun&sort=-manufacturer")
    for name in ("CSV", "JSON"):
        (href,) = [e["href"] for e in markup.all("a") if e.text == name]
        response = await api.client.get(f"/{href}")
        assert response.status_code == 200, response.text
        assert response.text.count("Sun") >= 2
        assert "Zebra" not in response.text


async def test_an_entity_shows_its_device_and_area_and_leads_on(api: Api) -> None:
    _, markup = await table(api, "/entities")
    cells = [e.text for e in markup.all("td")]
    assert "Zebra" in cells
    assert "Attic" in cells
    record = Markup((await api.client.get(f"/device?id={device(1).id}")).text)
    assert f"http://ha:8123/config/devices/device/{device(1).id}" in [e["href"] for e in record.all("a")]


def test_an_unknown_filter_is_refused() -> None:
    for wrong in (b"colour=red", b"state=odd", b"page=0"):
        with pytest.raises(Problem):
            parse_query(wrong, TableQuery)


async def test_an_unknown_manufacturer_is_labelled_like_any_other_missing_value(api: Api) -> None:
    _, markup = await table(api, "/devices")
    labels = {e.attributes.get("value"): e.text for e in markup.all("option")}
    assert labels["Unknown"].startswith("none")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/devices?domain=light", 404, "have no domain."),
        ("/entities?integration=hue", 404, "have no integration."),
        ("/devices?sort=colour", 400, "colour is not a field"),
        ("/devices?area_id=nowhere", 404, "There is no area 'nowhere'."),
        ("/entities?label=none", 404, "There is no label 'none'."),
    ],
)
async def test_a_filter_that_means_nothing_here_is_refused_and_not_ignored(
    api: Api, path: str, status: int, said: str
) -> None:
    response = await api.client.get(path)
    assert (response.status_code, said in html.unescape(response.text)) == (status, True)
