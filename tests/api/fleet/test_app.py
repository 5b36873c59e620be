"""The application of a fleet view as a whole."""

from pathlib import Path

import pytest
from openapi_spec_validator import validate

from api.fleet.routes import ROUTES
from api.http.auth import AccessRules
from tests.api.fleet.views import SAID, MemoryView, asking
from tests.api.serving import no_metrics

pytestmark = pytest.mark.anyio


@pytest.fixture
def view(tmp_path: Path) -> MemoryView:
    return MemoryView(tmp_path, *SAID)


async def test_its_document_describes_every_route(view: MemoryView) -> None:
    async with asking(view) as client:
        document = (await client.get("/openapi.json")).json()
    validate(document)
    assert sorted(document["paths"]) == sorted(route.path for route in ROUTES)


async def test_the_token_opens_it_and_only_it(view: MemoryView) -> None:
    async with asking(view, access=AccessRules(token="secret")) as client:
        assert (await client.get("/healthz")).status_code == 200
        for path in ("/api/fleet/devices", "/readyz", "/metrics", "/openapi.json"):
            assert (await client.get(path)).status_code == 401
        assert (
            await client.get("/api/fleet/devices", headers={"authorization": "Bearer secret"})
        ).status_code == 200


async def test_writes_and_unknown_paths_are_refused(view: MemoryView) -> None:
    async with asking(view, metrics=no_metrics) as client:
        assert (await client.post("/api/fleet/devices")).status_code == 405
        assert (await client.get("/api/fleet/devices?colour=red")).status_code == 400
        assert (await client.get("/api/fleet/nothing")).status_code == 404
        assert (await client.get("/metrics")).content == b"x"
