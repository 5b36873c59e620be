"""The application as a whole: paths, errors, metrics."""

from pathlib import Path
from typing import Any

import httpx

from api.app import ROUTES
from engine.core.state.report import Report
from tests.api.serving import Api, api_over


async def test_fixed_paths_win_over_parameters(api: Api) -> None:
    await api.get("/api/changes")
    assert [r.path for r in ROUTES].index("/api/devices/{id}/history") < len(ROUTES)
    await api.get("/api/devices/a/history", 501)


async def test_an_unknown_path_is_a_problem(api: Api) -> None:
    for path in ("/none", "/api", "/api/devices/", "/api/devices/a/b", "/api/drift/sqlite", "/metrics"):
        problem = await api.get(path, 404)
        assert (problem["status"], problem["instance"]) == (404, path)


async def test_metrics_are_the_hosts(sample: tuple[Path, Report]) -> None:
    async def metrics(accept: str) -> tuple[bytes, str]:
        return b"up 1\n", f"text/plain; asked={accept}"

    async with api_over(*sample, metrics=metrics) as api:
        response = await api.client.get("/metrics", headers={"accept": "text/html"})
        assert (response.content, response.headers["content-type"]) == (
            b"up 1\n",
            "text/plain; asked=text/html",
        )


async def test_our_own_errors_are_a_problem_without_details(sample: tuple[Path, Report]) -> None:
    async def broken(_accept: str) -> tuple[bytes, str]:
        raise ValueError("inside")

    async with api_over(*sample, metrics=broken) as api:
        transport: Any = httpx.ASGITransport(api.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            response = await client.get("/metrics")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "inside" not in response.text
