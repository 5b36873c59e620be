"""The application: all routes behind all middleware."""

from collections.abc import Callable, Sequence
from functools import cache, partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute

from api import past
from api.app_context import AppOptions, FindHome
from api.changes import routes as changes
from api.changes import runs
from api.http.auth import AuthMiddleware
from api.http.middleware import Compression, RequestLimits, RequestObserver
from api.http.openapi import make_document
from api.http.problems import HANDLERS
from api.http.queries import NoQuery, parse_query
from api.http.routing import JSON, LIVE_HEADERS, VARY, Route
from api.page.routes import page_endpoints
from api.ports import MetricsSource
from api.registries import routes as registries
from api.state import drift, health

GZIP_BYTES_MIN = 1024
ROUTES: tuple[Route, ...] = (
    *registries.ROUTES,  # before the past: an area may be called history
    *past.ROUTES,
    *health.ROUTES,
    *drift.ROUTES,
    *runs.ROUTES,
    *changes.ROUTES,
)


def build_app(find: FindHome, options: AppOptions) -> Starlette:
    """The ASGI application over one home, which `find` returns for each request."""
    endpoints = [route.endpoint(find) for route in ROUTES]
    document = cache(partial(make_document, ROUTES))
    endpoints += [document_route(document), *page_endpoints(find, document)]
    if options.metrics is not None:
        endpoints.append(metrics_route(options.metrics))
    return with_middleware(endpoints, options)


def with_middleware(
    endpoints: Sequence[BaseRoute], options: AppOptions, auth: Middleware | None = None
) -> Starlette:
    """The routes behind all middleware. `auth` replaces the authentication that the options describe."""
    middleware = [Middleware(RequestObserver, observe=options.observe)]
    if options.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=options.cors_origins,
                allow_methods=("GET", "HEAD"),
                allow_headers=("Authorization", "Last-Event-ID"),
                expose_headers=("ETag", "Link"),
            )
        )
    # Level 1: level 9 takes five times the CPU for a third less.
    middleware += [
        Middleware(Compression, minimum_size=GZIP_BYTES_MIN, compresslevel=1),
        Middleware(RequestLimits),
        auth or Middleware(AuthMiddleware, access=options.access),
    ]
    app = Starlette(routes=endpoints, middleware=middleware, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    return app


def document_route(document: Callable[[], bytes]) -> StarletteRoute:
    """The route of an OpenAPI document, which is made at its first request (10 ms): few services ever get one."""

    async def call(request: Request) -> Response:
        parse_query(request.scope["query_string"], NoQuery)
        return Response(document(), 200, {"cache-control": "no-cache", "vary": VARY}, JSON)

    return StarletteRoute("/openapi.json", call, name="get_openapi")


def metrics_route(metrics: MetricsSource) -> StarletteRoute:
    """The route of the Prometheus metrics."""

    async def call(request: Request) -> Response:
        body, content_type = await metrics(request.headers.get("accept", ""))
        return Response(body, 200, {**LIVE_HEADERS, "content-type": content_type})

    return StarletteRoute("/metrics", call, name="get_metrics")
