"""Who is let in: by token, by peer, or on this machine under its own name."""

import base64
from pathlib import Path

import httpx
import pytest

from api.http.auth import AccessRules
from engine.core.state.report import Report
from tests.api.serving import Api, api_over

PATHS = ("/api/devices", "/metrics", "/openapi.json", "/readyz", "/none", "/api/changes/stream")


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


async def status_from(api: Api, peer: str, path: str = "/healthz", **headers: str) -> int:
    transport = httpx.ASGITransport(api.app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get(path, headers=headers)).status_code


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic secret",
        "Basic",
        "Basic \u00e9",
        basic("secret"),
        basic("secret:"),
        basic("user:wrong"),
        "Digest secret",
        "secret",
        "Bearer secret2",
        "Bearer s\u00e9cret",
    ],
)
async def test_without_the_token_no_request_gets_in(
    sample: tuple[Path, Report], authorization: str | None
) -> None:
    async with api_over(*sample, access=AccessRules(token="secret", admits_all=True)) as api:
        headers = [] if authorization is None else [(b"authorization", authorization.encode())]
        for path in PATHS:
            response = await api.client.get(path, headers=headers)
            assert response.status_code == 401
            assert response.headers["content-type"] == "application/problem+json"
        assert api.rows_reader.pages == 0
        assert (await api.client.get("/healthz", headers=headers)).status_code == 200


async def test_programs_are_reported_of_bearer_and_browsers_of_basic(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, access=AccessRules(token="secret")) as api:
        for path, scheme in (("/api/devices", "Bearer"), ("/metrics", "Bearer"), ("/", "Basic")):
            challenge = (await api.client.get(path)).headers["www-authenticate"]
            assert challenge.split()[0] == scheme


@pytest.mark.parametrize(
    "authorization", ["Bearer secret", "bearer  secret", basic("me:secret"), basic(":secret")]
)
async def test_with_the_token_in_the_header_one_gets_in_under_any_name(
    sample: tuple[Path, Report], authorization: str
) -> None:
    async with api_over(*sample, access=AccessRules(token="secret")) as api:
        await api.get("/api/devices", authorization=authorization, host="home.example")
        await api.get("/api/devices?token=secret", 401)
        assert "secret" not in repr(api.context)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8099", "localhost.", "127.0.0.1:1", "127.8.9.1", "[::1]", "[::1]:8099"]
)
async def test_this_machine_is_answered_under_its_loopback_names(api: Api, host: str) -> None:
    await api.get("/api/devices?limit=1", host=host)


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "rebound.example:8099",
        "localhost.rebound.example",
        "127.0.0.1.rebound.example",
        "192.168.1.2",
        "[::2]",
        "0.0.0.0",
        "",
        ":",
        "::1",
        "127.0.0.1@rebound.example",
        "[::1]rebound.example",
        "[::1]:80rebound.example",
        "localhost:rebound.example",
        "localhost:80:rebound.example",
        "localhost/rebound.example",
        "localhost rebound.example",
    ],
)
async def test_a_rebound_name_reads_nothing(api: Api, host: str) -> None:
    for path in (*PATHS, "/healthz", "/"):
        problem = await api.get(path, 421, host=host)
        assert problem["title"] == "Misdirected Request"
        assert "http.hosts" in problem["detail"]
    assert api.rows_reader.pages == 0


async def test_no_host_or_two_are_refused(api: Api) -> None:
    for hosts in ([], [(b"host", b"localhost"), (b"host", b"localhost")]):
        request = httpx.Request("GET", "http://localhost/healthz")
        request.headers = httpx.Headers(hosts)
        assert (await api.client.send(request)).status_code == 421


async def test_further_names_are_answered_when_they_are_listed(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, access=AccessRules(hosts=frozenset({"Pi.lan"}))) as api:
        for host in ("pi.lan", "PI.LAN:8099", "pi.lan.", "localhost"):
            await api.get("/healthz", host=host)
        await api.get("/healthz", 421, host="other.lan")


async def test_other_machines_are_refused_without_a_token(api: Api) -> None:
    assert await status_from(api, "192.168.1.7") == 403
    assert await status_from(api, "::ffff:127.0.0.1") == 200
    assert await status_from(api, "::1") == 200


async def test_who_wants_no_check_gets_none(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, access=AccessRules(admits_all=True)) as api:
        assert await status_from(api, "192.168.1.7", "/api/devices", host="any.example") == 200


async def test_ingress_has_let_its_users_in(sample: tuple[Path, Report]) -> None:
    peers = frozenset({"172.30.32.2"})
    for token in (None, "secret"):
        async with api_over(*sample, access=AccessRules(token=token, trusted_peers=peers)) as api:
            for peer in ("172.30.32.2", "::ffff:172.30.32.2"):
                assert await status_from(api, peer, "/api/devices", host="homeassistant.local:8123") == 200
            assert await status_from(api, "172.30.32.3", "/api/devices") == (401 if token else 403)
