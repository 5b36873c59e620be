"""The application over many homes: routes over all of them, and each home's own routes under its name.

A home's routes exist twice: `/api/sites/NAME/...` corresponds to `/api/...` of a single home, for programs; and all of them,
including the page, are below `/sites/NAME/`, with relative links.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Router
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import ROUTES as HOME_ROUTES
from api.app import document_route, metrics_route, with_middleware
from api.app_context import AppContext, AppOptions
from api.http.auth import AccessRules, AuthMiddleware, presented_token
from api.http.openapi import make_document
from api.http.problems import RETRY_SECONDS, Problem
from api.http.queries import NoQuery
from api.http.routing import LIVE_HEADERS, Route, answer_live, route
from api.page.routes import PAGE_ROUTES, page_endpoints
from api.sites import fleet, listing
from api.sites.elsewhere import answer_elsewhere
from api.sites.listing import Asked, no_such_home
from api.sites.page import away_page, page_route
from api.sites.ports import Sites, SiteView, Stage
from api.state.health import get_liveness

_PREFIXES = ("/api/sites/", "/sites/")
# Requests for pages are answered with a page, even without the home.
_PAGES = frozenset(route.path for route in PAGE_ROUTES)


class FleetReady(msgspec.Struct, frozen=True):
    """Whether the service has started all its homes (`ready`, `not_ready`, `drained`), and the number of homes by stage."""

    status: str
    sites: dict[str, int]


@route("/readyz", FleetReady, statuses=(503,))
async def get_readiness(asked: Asked, _request: Request, _query: NoQuery) -> Response:
    """Whether the service has started its homes.

    Each home's own readiness is at its own routes.
    """
    views = asked.sites.views()
    counts = {stage.value: sum(view.stage is stage for view in views) for stage in Stage}
    is_drained = asked.sites.drained is not None
    is_ready = bool(views) and not asked.sites.is_closed and not is_drained
    word = "ready" if is_ready else "drained" if is_drained else "not_ready"
    return answer_live(FleetReady(word, counts), 200 if is_ready else 503)


ROUTES: tuple[Route, ...] = (*listing.ROUTES, *fleet.ROUTES, get_liveness, get_readiness)


def build_sites_app(sites: Sites, clock: Callable[[], float], options: AppOptions) -> Starlette:
    """The ASGI application over all homes that exist at each request."""

    def find(_request: Request) -> Asked:
        return Asked(sites, clock())

    endpoints: list[BaseRoute] = [route.endpoint(find) for route in ROUTES]
    endpoints += [document_route(cache(partial(make_document, _documented()))), *page_route(sites, clock)]
    if options.metrics is not None:
        endpoints.append(metrics_route(options.metrics))
    endpoints += [
        StarletteRoute("/sites/{site}", _to_page),
        Mount("/api/sites/{site}", app=OfHome(_short_routes(), sites)),
        Mount("/sites/{site}", app=OfHome(_all_routes(sites), sites)),
    ]
    auth = Middleware(SitesAuthMiddleware, access=options.access, sites=sites)
    return with_middleware(endpoints, options, auth)


class OfHome:
    """Finds the home in a request, and passes the request to its routes."""

    def __init__(self, routes: Sequence[BaseRoute], sites: Sites) -> None:
        self._router = Router(routes, redirect_slashes=False)
        self._sites = sites

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the home; if it is not kept, show a page instead of its page, or raise Problem."""
        name = str(scope["path_params"]["site"])
        view = self._sites.view(name)
        context = await self._sites.open(name) if view is not None else None
        if context is not None:
            scope["home"] = context
            await self._router(scope, receive, send)
            return
        try:
            answer = self._answer_away(name, view, scope)
        except Problem as problem:
            if str(scope["path"]).removeprefix(f"/sites/{name}") not in _PAGES:
                raise
            answer = await away_page(name, view, problem)
        await answer(scope, receive, send)

    def _answer_away(self, name: str, view: SiteView | None, scope: Scope) -> Response:
        """The answer for a home that is not kept here. Raises Problem."""
        if view is not None:
            raise _not_kept(view)
        elsewhere = self._sites.elsewhere(name)
        if elsewhere is None:
            raise no_such_home(name)
        return answer_elsewhere(name, elsewhere, scope)


def _not_kept(view: SiteView) -> Problem:
    return Problem(
        503,
        f"The home {view.name} is {view.stage}: {view.reason or 'it is about to be started'}",
        headers={"retry-after": str(RETRY_SECONDS)},
    )


def _home_of(request: Request) -> AppContext:
    context: AppContext = request.scope["home"]
    return context


def _short_routes() -> list[BaseRoute]:
    return [route.endpoint(_home_of, route.path.removeprefix("/api")) for route in HOME_ROUTES]


def _all_routes(sites: Sites) -> list[BaseRoute]:
    async def metrics(request: Request) -> Response:
        name, accept = str(request.path_params["site"]), request.headers.get("accept", "")
        body, content_type = sites.metrics(name, accept)
        return Response(body, 200, {**LIVE_HEADERS, "content-type": content_type})

    document = cache(partial(make_document, HOME_ROUTES))
    routes: list[BaseRoute] = [route.endpoint(_home_of) for route in HOME_ROUTES]
    routes += [document_route(document), StarletteRoute("/metrics", metrics)]
    return [*routes, *page_endpoints(_home_of, document)]


def _documented() -> list[Route]:
    of_home = [
        replace(
            route, path=f"/api/sites/{{site}}{route.path.removeprefix('/api')}", name=f"site_{route.name}"
        )
        for route in HOME_ROUTES
    ]
    return [*ROUTES, *of_home]


async def _to_page(request: Request) -> Response:
    return RedirectResponse(f"{quote(str(request.path_params['site']), safe='')}/", 307)


class SitesAuthMiddleware(AuthMiddleware):
    """Accepts requests with the service's token, and, below a home's path, with that home's token."""

    def __init__(self, app: ASGIApp, access: AccessRules, sites: Sites) -> None:
        super().__init__(app, access)
        self._sites = sites

    def _has_valid_token(self, scope: Scope) -> bool:
        return super()._has_valid_token(scope) or self._is_of_home(scope)

    def _is_of_home(self, scope: Scope) -> bool:
        path = str(scope["path"])
        for prefix in _PREFIXES:
            if path.startswith(prefix):
                token = self._sites.token(path.removeprefix(prefix).partition("/")[0])
                return token is not None and hmac.compare_digest(presented_token(scope), token.encode())
        return False
