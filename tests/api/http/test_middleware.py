"""What every request passes: methods, sizes, headers, counting."""

from pathlib import Path

import pytest

from engine.core.state.report import Report
from tests.api.serving import Api, api_over


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
async def test_only_get_and_head(api: Api, method: str) -> None:
    response = await api.client.request(method, "/api/devices")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_oversized_query_string_is_refused_before_it_is_read(api: Api) -> None:
    problem = await api.get("/api/devices?after=" + "x" * 8200, 414)
    assert "8192" in problem["detail"]
    await api.get("/api/devices?after=" + "x" * 1000)


async def test_origins_that_were_allowed_may_read(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, cors_origins=("http://panel",)) as api:
        for origin, allowed in (("http://panel", "http://panel"), ("http://evil", None)):
            response = await api.client.get("/healthz", headers={"origin": origin})
            assert response.headers.get("access-control-allow-origin") == allowed


async def test_requests_are_counted_under_their_route(api: Api) -> None:
    for path in ("/api/devices/x", "/none/y", "/api/devices?x=1", "/healthz"):
        await api.client.get(path)
    await api.client.post("/healthz")
    assert api.requests == [
        ("/api/devices/{id}", "GET", 404),
        ("unmatched", "GET", 404),
        ("/api/devices", "GET", 400),
        ("/healthz", "GET", 200),
        ("unmatched", "other", 405),
    ]


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("identity", False),
        ("xgzip", False),
        ("", False),
    ],
)
async def test_gzip_is_used_by_those_who_want_it(api: Api, accepted: str, is_packed: bool) -> None:
    response = await api.client.get("/api/entities", headers={"accept-encoding": accepted})
    assert (response.headers.get("content-encoding") == "gzip") is is_packed
    assert response.headers["vary"] == "Authorization, Accept-Encoding, Accept"


async def test_health_is_answered_while_everything_else_is_busy(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.middleware.REQUESTS_MAX", 0)
    assert "retry-after" in (await api.client.get("/api/devices")).headers
    await api.get("/api/devices", 503)
    assert (await api.client.get("/healthz")).status_code == 200
