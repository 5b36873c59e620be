"""What every request passes before a route: counting, limits. Plain ASGI, because a request
through Starlette's BaseHTTPMiddleware costs twice the time.
"""

import anyio
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.ports import Observer
from api.problems import Problem

QUERY_BYTES_MAX = 8 * 1024


class Observing:
    """Tells the observer of every request, under its route's template: paths hold ids, and there are many."""

    def __init__(self, app: ASGIApp, observe: Observer) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and tell when it is over."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = anyio.current_time()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = scope.get("route")
            method = scope["method"] if scope["method"] in ("GET", "HEAD") else "other"
            template = str(getattr(route, "path", "unmatched"))
            self._observe(template, method, status, anyio.current_time() - began)


class Compression(GZipMiddleware):
    """Compresses for whoever accepts it, and costs nobody else anything."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on through GZipMiddleware, or past it."""
        accepts = any(
            name == b"accept-encoding" and b"gzip" in value for name, value in scope.get("headers", ())
        )
        await (super().__call__ if accepts else self.app)(scope, receive, send)


class Limits:
    """Refuses what no route takes: other methods than GET and HEAD, query strings beyond the bound."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 405 or 414."""
        problem = None
        if scope["type"] == "http":
            if scope["method"] not in ("GET", "HEAD"):
                problem = Problem(
                    405, "Nothing can be changed here: only GET and HEAD.", headers={"allow": "GET, HEAD"}
                )
            elif len(scope["query_string"]) > QUERY_BYTES_MAX:
                problem = Problem(
                    414,
                    f"The query string has {len(scope['query_string'])} bytes; at most {QUERY_BYTES_MAX} are read.",
                )
        await (problem.response(scope["path"]) if problem else self._app)(scope, receive, send)
