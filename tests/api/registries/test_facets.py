"""Facets count the matches of their filters."""

from pathlib import Path

import pytest

from api.registries.facets import FACETS
from engine.core.records.registries import REGISTRIES
from engine.replicas.rows.queries.conditions import FACETS as STORE
from engine.replicas.rows.queries.conditions import LIST_FACETS
from tests.api.serving import Api, api_over, write_home
from tests.homes import ENTRY, device, snapshot


def test_every_registry_has_the_facets_of_the_store() -> None:
    assert {r: set(names) for r, names in FACETS.items()} == {
        r: {*STORE[r], *LIST_FACETS.get(r, ())} for r in REGISTRIES
    }


@pytest.mark.parametrize(("registry", "name"), [("device", "devices"), ("entity", "entities")])
async def test_each_value_is_a_filter_that_finds_as_many(api: Api, registry: str, name: str) -> None:
    found = await api.get(f"/api/facets?registry={registry}")
    assert found["total"] == (await api.get(f"/api/{name}?limit=1"))["total"]
    for facet, values in found["facets"].items():
        for each in values[:3]:
            response = await api.client.get(f"/api/{name}", params={"limit": 1, facet: each["value"]})
            assert response.json()["total"] == each["count"], (facet, each)


async def test_spellings_that_a_filter_finds_together_are_one_value(tmp_path: Path) -> None:
    makers = ("ACME", "Acme", "Acme", None, "unknown")
    devices = [device(number, manufacturer=maker) for number, maker in enumerate(makers)]
    await write_home(tmp_path / "rows.db", snapshot(ENTRY, *devices))
    async with api_over(tmp_path / "rows.db") as api:
        found = (await api.get("/api/facets?facet=manufacturer"))["facets"]["manufacturer"]
        assert [(each["value"], each["count"]) for each in found] == [("Acme", 3), ("Unknown", 2)]
        for each in found:
            assert (await api.get(f"/api/devices?manufacturer={each['value']}"))["total"] == each["count"]


async def test_facet_counts_can_be_filtered(api: Api) -> None:
    found = await api.get("/api/facets?registry=device&facet=manufacturer&q=bed")
    assert list(found["facets"]) == ["manufacturer"]
    assert found["total"] == (await api.get("/api/devices?q=bed"))["total"]
    assert (await api.get("/api/facets?state=real&facet=state"))["facets"]["state"][0]["value"] == "real"
    for wrong in ("facet=nothing", "registry=none"):
        await api.get(f"/api/facets?{wrong}", 400)


async def test_a_facet_that_a_registry_lacks_is_refused(api: Api) -> None:
    for wrong in ("registry=floor&model=x", "registry=device&domain=light", "registry=area&facet=platform"):
        assert "have no" in (await api.get(f"/api/facets?{wrong}", 404))["detail"]
    found = await api.get("/api/facets?registry=entity&area_id=nowhere", 404)
    assert found["detail"] == "There is no area 'nowhere'."
