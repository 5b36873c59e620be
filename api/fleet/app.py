"""The application of a fleet view."""

from collections.abc import Callable
from functools import cache, partial

from starlette.applications import Starlette
from starlette.requests import Request

from api.app import document_route, metrics_route, with_middleware
from api.app_context import AppOptions
from api.fleet.answers import Viewed
from api.fleet.page import page_endpoints
from api.fleet.ports import FleetView
from api.fleet.routes import ROUTES
from api.http.openapi import make_document


def build_view_app(
    view: FleetView, clock: Callable[[], float], options: AppOptions, process: str
) -> Starlette:
    """The ASGI application over a view. `process` is unique to this process; entity tags contain it."""

    def find(_request: Request) -> Viewed:
        return Viewed(view, clock(), process)

    document = cache(partial(make_document, ROUTES))
    endpoints = [*(route.endpoint(find) for route in ROUTES), document_route(document), *page_endpoints(find)]
    if options.metrics is not None:
        endpoints.append(metrics_route(options.metrics))
    return with_middleware(endpoints, options)
