"""The document: valid, frozen, and true to the application."""

import os
from pathlib import Path

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import ROUTES
from api.http.openapi import make_document
from tests.api.serving import Api

GOLDEN = Path(__file__).with_name("openapi.json")


@pytest.mark.slow
def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(msgspec.json.decode(make_document(ROUTES))).validate()


def test_it_changes_only_on_purpose() -> None:
    """RECONCILE_TEST=write-golden rewrites it; the difference is for the review."""
    if os.environ.get("RECONCILE_TEST") == "write-golden":
        GOLDEN.write_bytes(make_document(ROUTES))
    assert GOLDEN.read_bytes() == make_document(ROUTES)


def test_every_route_documents_its_answers() -> None:
    paths = msgspec.json.decode(make_document(ROUTES))["paths"]
    assert len(paths) == len(ROUTES)
    for path, operations in paths.items():
        responses = operations["get"]["responses"]
        assert {"200", "400", "403", "414", "421"} <= set(responses), path
        assert ("401" in responses) == (path != "/healthz")
        assert all(p["schema"] for p in operations["get"]["parameters"])


async def test_it_is_served(api: Api) -> None:
    assert (await api.client.get("/openapi.json")).content == make_document(ROUTES)
    await api.get("/openapi.json?x=1", 400)


def test_every_route_has_a_tag_that_is_described_and_every_path_parameter_is_reported() -> None:
    document = msgspec.json.decode(make_document(ROUTES))
    tags = {tag["name"] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        assert set(operations["get"]["tags"]) <= tags, path
        for parameter in operations["get"]["parameters"]:
            if parameter["in"] == "path":
                assert parameter["description"] != parameter["name"], path
