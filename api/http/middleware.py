"""Middleware in front of all routes: counting, limits. Plain ASGI, because a request
through Starlette's BaseHTTPMiddleware costs twice the time.
"""

import re

import anyio
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import RETRY_SECONDS, Problem
from api.ports import Observer

QUERY_BYTES_MAX = 8 * 1024
REQUESTS_MAX = 64  # answered at once
_ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/metrics"})
_NO_WEIGHT = re.compile(rb"q=0(\.0{0,3})?", re.IGNORECASE)


class RequestObserver:
    """Reports every request to the observer under its route's template, because paths contain ids, of which there are many."""

    def __init__(self, app: ASGIApp, observe: Observer) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and report it when it ends."""
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
    """Compresses for clients that accept it, without cost for others."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through GZipMiddleware, or bypass it."""
        if not _accepts_gzip(scope):
            await self.app(scope, receive, send)
            return

        async def send_with_vary_once(message: Message) -> None:
            # The middleware adds Accept-Encoding even if a route already has.
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                names = dict.fromkeys(name.strip() for name in headers.get("vary", "").split(","))
                headers["vary"] = ", ".join(filter(None, names))
            await send(message)

        await super().__call__(scope, receive, send_with_vary_once)


def _accepts_gzip(scope: Scope) -> bool:
    """Whether Accept-Encoding names gzip with a weight above 0 (RFC 9110, 12.5.3)."""
    values = [value for name, value in scope.get("headers", ()) if name == b"accept-encoding"]
    for coding in b",".join(values).split(b","):
        name, _, parameters = coding.partition(b";")
        if name.strip() == b"gzip":
            return not _NO_WEIGHT.fullmatch(parameters.strip())
    return False


class RequestLimits:
    """Refuses requests that no route accepts (methods other than GET and HEAD, long query strings) and too many at once.

    Health checks are always answered, so that a busy service is not restarted.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 405, 414 or 503."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        if problem is not None:
            await problem.response(scope["path"])(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1

    def _problem(self, scope: Scope) -> Problem | None:
        if scope["method"] not in ("GET", "HEAD"):
            return Problem(
                405, "Nothing can be changed here: only GET and HEAD.", headers={"allow": "GET, HEAD"}
            )
        if (size := len(scope["query_string"])) > QUERY_BYTES_MAX:
            return Problem(414, f"The query string has {size} bytes; at most {QUERY_BYTES_MAX} are read.")
        if self._under_way >= REQUESTS_MAX and scope["path"] not in _ALWAYS_ANSWERED:
            return Problem(
                503,
                f"{REQUESTS_MAX} requests are being answered already.",
                headers={"retry-after": str(RETRY_SECONDS)},
            )
        return None
