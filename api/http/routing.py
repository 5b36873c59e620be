"""A route: path, query struct in, body struct out; the same object serves requests and generates the OpenAPI document."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from api.http.queries import NoQuery, parse_query
from engine.core.times import encode_document

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
VARY = "Authorization, Accept-Encoding"
# Only valid now: it must not be cached.
LIVE_HEADERS = {"cache-control": "no-store", "vary": VARY}

# The subject of the request (one home, or all), the request, and its query.
Handler = Callable[[Any, Request, Any], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One GET route. `statuses` are its statuses besides 200 and those of every route."""

    path: str
    name: str
    summary: str
    handle: Handler
    body: type[Any]
    query: type[msgspec.Struct] = NoQuery
    statuses: tuple[int, ...] = ()
    media_type: str = JSON
    other_media_types: tuple[str, ...] = ()  # in which the same answer is available
    event_id_pattern: str = "^[0-9]{1,15}$"  # for a stream: the form of its ids

    async def __call__(self, about: Any, request: Request, query: Any) -> Response:
        """The answer to a request with a parsed query. Raises Problem, and its store's ReplicaError."""
        return await self.handle(about, request, query)

    def endpoint(self, find: Callable[[Request], object], path: str | None = None) -> StarletteRoute:
        """The route for Starlette, including HEAD; at `path` if given, else at its own."""

        async def call(request: Request) -> Response:
            query = parse_query(request.scope["query_string"], self.query)
            return await self.handle(find(request), request, query)

        return StarletteRoute(path or self.path, call, name=self.name)


def route(
    path: str,
    body: type[Any],
    *,
    statuses: tuple[int, ...] = (),
    media_type: str = JSON,
    event_id_pattern: str = "",
) -> Callable[[Handler], Route]:
    """Turn the decorated handler into a route, using its name, the first line of its docstring and its query's type."""

    def make(handle: Handler) -> Route:
        given_types = get_type_hints(handle)
        query = [type_ for name, type_ in given_types.items() if name.lstrip("_") == "query"]
        assert handle.__doc__, f"{handle.__qualname__} needs a docstring, which is its summary"
        return Route(
            path=path,
            name=handle.__name__,
            summary=handle.__doc__.split("\n", 1)[0],
            handle=handle,
            body=body,
            query=query[0],
            statuses=statuses,
            media_type=media_type,
            event_id_pattern=event_id_pattern or Route.event_id_pattern,
        )

    return make


def answer_live(body: msgspec.Struct, status: int = 200) -> Response:
    """An answer from memory that is only valid now."""
    return Response(encode_document(body), status, LIVE_HEADERS, JSON)
