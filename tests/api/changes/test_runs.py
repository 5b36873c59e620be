"""Writing passes, newest first."""

from pathlib import Path

from tests.api.serving import api_over, write_home
from tests.homes import ENTRY, device, snapshot


async def test_runs_are_paged_newest_first(tmp_path: Path) -> None:
    rows = tmp_path / "rows.db"
    for number in range(1, 4):
        await write_home(rows, snapshot(ENTRY, device(1, name=f"Name {number}")), f"r{number}")
    async with api_over(rows) as api:
        first = await api.get("/api/runs?limit=2")
        assert [r["run_id"] for r in first["runs"]] == ["r3", "r2"]
        rest = await api.get(f"/api/runs?limit=2&before={first['next']}")
        assert ([r["run_id"] for r in rest["runs"]], rest["next"]) == (["r1"], None)
        assert (rest["runs"][0]["upserts"], rest["runs"][0]["started_at"]) == (2, "2026-11-23T12:00:00.000Z")
        assert await api.get("/api/runs/r2") == first["runs"][1]
        await api.get("/api/runs/none", 404)
        await api.get("/api/runs?before=none", 404)  # and not that there were none before it
