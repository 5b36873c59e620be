"""The page of all homes: homes by status, the worst first, and a search. Each home's page is that of a single home."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute

from api.http.problems import Problem
from api.http.queries import parse_query
from api.http.routing import LIVE_HEADERS
from api.page.page_answer import HTML
from api.page.routes import static_route
from api.page.templates import load_templates, render
from api.sites.listing import SitesQuery, body_of, check_tag, chosen, counted_as
from api.sites.ports import Sites, SiteView
from api.sites.words import WORDS, severity

PAGE_SIZE = 100


class SitesPageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The search. Empty parameters are ignored."""

    q: Annotated[str, Meta(max_length=255)] = ""
    tag: Annotated[str, Meta(max_length=64)] = ""
    status: Literal["", "in_sync", "out_of_sync", "blocked", "unknown", "paused"] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


def page_route(sites: Sites, clock: Callable[[], float]) -> list[BaseRoute]:
    """The routes of the page and its static files."""

    async def call(request: Request) -> Response:
        query = parse_query(request.scope["query_string"], SitesPageQuery)
        await load_templates()
        return Response(render("sites.html", _values(sites, query, clock())), 200, LIVE_HEADERS, HTML)

    return [StarletteRoute("/", call, name="page_sites"), static_route()]


async def away_page(name: str, view: SiteView | None, problem: Problem) -> Response:
    """The page shown instead of a home that is not kept, or does not exist, with the reason."""
    await load_templates()
    title = f"{view.label or name} is {view.stage}" if view else "There is no such home"
    if view is None and problem.status != HTTPStatus.NOT_FOUND:
        title = "Another process keeps this home"
    is_kept_later = problem.status != HTTPStatus.NOT_FOUND
    values = {"title": title, "name": name[:64], "detail": problem.detail, "is_kept_later": is_kept_later}
    body = render("away.html", values)
    return Response(body, problem.status, {**LIVE_HEADERS, **problem.headers}, HTML)


def _values(sites: Sites, query: SitesPageQuery, now: float) -> dict[str, object]:
    check_tag(sites, query.tag or UNSET)
    views = sorted(sites.views(), key=lambda view: severity(view, now))
    counts = dict.fromkeys((*WORDS, "paused"), 0)
    for view in views:
        counts[counted_as(body_of(view, now))] += 1
    asked = SitesQuery(q=query.q or UNSET, tag=query.tag or UNSET)
    found = [body for body in chosen(views, asked, now) if query.status in ("", counted_as(body))]
    start = (query.page - 1) * PAGE_SIZE
    return {
        "now": now,
        "query": query,
        "drained": sites.drained,
        "total": len(views),
        "counts": counts,
        "found": len(found),
        "sites": found[start : start + PAGE_SIZE],
        "pages": max(1, -(-len(found) // PAGE_SIZE)),
        "tags": sorted({tag for view in views for tag in view.tags}),
    }
