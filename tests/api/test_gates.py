"""What every request passes: token, methods, sizes, headers, counting."""

from pathlib import Path

import pytest

from engine.core.report import Report
from tests.api.serving import Api, api_over


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic secret",
        "secret",
        "Bearer secret2",
        "Bearer s\u00e9cret",
    ],
)
async def test_without_the_token_nobody_gets_in(
    sample: tuple[Path, Report], authorization: str | None
) -> None:
    async with api_over(*sample, token="secret") as api:
        headers = [] if authorization is None else [(b"authorization", authorization.encode())]
        for path in ("/api/devices", "/metrics", "/openapi.json", "/readyz", "/none", "/api/changes/stream"):
            response = await api.client.get(path, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["content-type"] == "application/problem+json"
        assert api.inventory.pages == 0
        assert (await api.client.get("/healthz", headers=headers)).status_code == 200


async def test_with_the_token_in_the_header_one_gets_in(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, token="secret") as api:
        for scheme in ("Bearer", "bearer"):
            await api.get("/api/devices", authorization=f"{scheme} secret")
        await api.get("/api/devices?token=secret", 401)
        assert "secret" not in repr(api.given)


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
