"""A route as data serves GET and HEAD with its query."""

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.http.queries import RunsQuery
from api.http.routing import Route, answer_live


class Echo(msgspec.Struct):
    limit: int


async def handle(_given: AppContext, _request: Request, query: RunsQuery) -> Response:
    return answer_live(Echo(query.limit))


async def test_a_route_gets_its_query() -> None:
    route = Route(path="/e", name="echo", summary="", handle=handle, body=Echo, query=RunsQuery)
    app = Starlette(routes=[route.endpoint(lambda _request: None)])  # this handler needs no home
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        response = await client.get("/e?limit=3")
        assert response.json() == {"limit": 3}
        assert response.headers["cache-control"] == "no-store"
        assert (await client.head("/e")).status_code == 200
