"""What is in an area."""

from pathlib import Path

from engine.core.state.report import Report
from tests.api.serving import api_over


async def test_areas_count_their_entities_and_list_their_domains(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample) as api:
        for area in (await api.get("/api/areas"))["areas"]:
            found = await api.get(f"/api/entities/by-area/{area['area_id']}?limit=1000")
            assert area["entity_count"] == found["total"]
            assert area["domains"] == sorted({e["domain"] for e in found["entities"]})
