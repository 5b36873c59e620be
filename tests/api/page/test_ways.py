"""Where the pages lead to: to every kind of record, and to the same rows in other forms."""

from tests.api.page.markup import Markup
from tests.api.serving import Api


async def page(api: Api, path: str = "/") -> Markup:
    return Markup((await api.client.get(path)).text)


async def test_the_front_page_and_records_link_to_floors_labels_and_integrations(
    api: Api,
) -> None:
    links = {e["href"] for e in (await page(api)).all("a")}
    for address in ("floor?id=ground_floor", "label?id=critical"):
        assert address in links
        assert (await api.client.get(f"/{address}")).status_code == 200
    entity = {e["href"] for e in (await page(api, "/entity?id=light.bed_light")).all("a")}
    (integration,) = [link for link in entity if link.startswith("integration?id=")]
    assert integration in links
    device = {
        e["href"]
        for e in (await page(api, "/integration" + integration.removeprefix("integration"))).all("a")
    }
    assert [link for link in device if link.startswith("devices?integration=")]


async def test_a_table_shows_the_number_of_exported_rows(api: Api) -> None:
    table = await page(api, "/devices")
    assert "As shown, all pages" in table.one("main").text
    (csv,) = [e["href"] for e in table.all("a") if "format=csv" in e["href"]]
    rows = (await api.client.get(f"/{csv}")).text.splitlines()
    assert len(rows) == 1 + 72
