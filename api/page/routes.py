"""The page's routes: the front page, its live part and its home section alone, records, and static files."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from api.app_context import AppContext, FindHome
from api.http.problems import Problem, phrase
from api.http.queries import SEQ_MAX, NoQuery, parse_query
from api.http.routing import VARY
from api.page.page_answer import answer_page
from api.page.reading import Read, Reader, at_of
from api.page.record_reading import read_record
from api.page.templates import MEDIA_TYPES, STATIC, digest, render
from api.page.views.changes import changes_view
from api.page.views.drift_groups import DriftPageQuery, drift_page
from api.page.views.home import HomeQuery, other_pages
from api.page.views.home_index import KeptIndex
from api.page.views.status import status_view
from api.page.views.table import TableQuery, table_view
from api.page.views.todo import todo_views
from api.page.views.verdict import Badges
from api.page.wording import Names, registry_text
from api.registries.bodies.small import SMALL
from api.state.drift import check_replica
from engine.core.state.advice import GUARDS, KINDS
from engine.core.state.report import open_records
from engine.core.state.status import Status
from engine.errors import EngineError

# Rows per group of differences, on the front page and on the drift page.
DRIFT_SHOWN = 5
DRIFT_GROUP = 10
CHANGES_PAGE = 100
# A file's address contains its digest.
_STATIC_HEADERS = {"cache-control": "private, max-age=31536000, immutable", "vary": VARY}

Handler = Callable[["Page", Request, Any], Awaitable[bytes]]


class OlderQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes with lower numbers than this."""

    before: Annotated[int, Meta(ge=1, le=SEQ_MAX)] | None = None


class RecordQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record, now or in the past."""

    id: Annotated[str, Meta(max_length=1024)] = ""
    at: Annotated[str, Meta(max_length=40)] = ""


class StaticQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version in the address; the newest is served for any."""

    v: str = ""


class Page:
    """The data that the handlers of one request share."""

    def __init__(self, context: AppContext, kept: KeptIndex, document: Callable[[], bytes]) -> None:
        self.context = context
        self.document = document
        self.reader = Reader(context, kept)

    def values(self, status: Status | None = None) -> dict[str, object]:
        """The values for every template."""
        status, now, activity = status or self.context.status(), self.context.clock(), self.context.activity
        view = status_view(status, now, self.context.freshness, activity)
        verdicts = self.context.verdicts()
        return {
            "now": now,
            "status": view,
            "day": activity.changes_day(now),
            "delays": activity.delays_day(now),
            "up": self.context.up,
            "badges": Badges(verdicts),
            "todos": todo_views(status, verdicts, view.state),
        }

    def drift(self, names: Names, query: DriftPageQuery, group_rows: int) -> dict[str, object]:
        """The values for the differences, matching a status of the same moment."""
        status, verdicts = self.context.status(), self.context.verdicts()
        view = drift_page(open_records(status.report), status, names, verdicts, query, group_rows)
        return {**self.values(status), "drift": view, "drift_query": query}

    def live(self, read: Read) -> dict[str, object]:
        """The values for the live part of the front page."""
        drift = self.drift(read.index.names, DriftPageQuery(), DRIFT_SHOWN)
        return {**drift, "changes": read.changes, "error": read.error}


async def _front(page: Page, _request: Request, query: HomeQuery) -> bytes:
    read = await page.reader.front(query)
    values = {"home": read.home, "query": query, "at": _unix(query.at), "others": other_pages(read.index)}
    return render("front.html", {**page.live(read), **values})


async def _live(page: Page, _request: Request, _query: NoQuery) -> bytes:
    return render("live.html", page.live(await page.reader.live()))


async def _home(page: Page, _request: Request, query: HomeQuery) -> bytes:
    view = await page.reader.home(query)
    badges = Badges(page.context.verdicts())
    values: dict[str, object] = {
        "home": view,
        "query": query,
        "at": _unix(query.at),
        "error": None,
        "badges": badges,
        "now": page.context.clock(),
    }
    return render("home.html", values)


async def _drift(page: Page, _request: Request, query: DriftPageQuery) -> bytes:
    if query.replica:
        check_replica(query.replica, page.context.status())
    try:
        names = await page.reader.read(lambda _moment, index: index.names)
    except EngineError:
        names = {}  # ids replace names
    return render("drift.html", page.drift(names, query, DRIFT_GROUP))


async def _changes(page: Page, _request: Request, query: OlderQuery) -> bytes:
    activity = page.context.activity
    view = await page.reader.read(
        lambda transaction, index: changes_view(transaction, index, activity, query.before, CHANGES_PAGE)
    )
    return render("changes.html", {**page.values(), "changes": view})


async def _help(page: Page, _request: Request, _query: NoQuery) -> bytes:
    return render("help.html", {**page.values(), "kinds": KINDS, "guards": GUARDS})


async def _table(registry: str, page: Page, _request: Request, query: TableQuery) -> bytes:
    verdicts = page.context.verdicts()
    view = await page.reader.read(
        lambda transaction, index: table_view(transaction, index, verdicts, registry, query)
    )
    return render("table.html", {**page.values(), "table": view, "query": query})


async def _docs(page: Page, _request: Request, _query: NoQuery) -> bytes:
    return render("docs.html", {**page.values(), "api": msgspec.json.decode(page.document())})


def _unix(at: str) -> float | None:
    time = at_of(at)
    return None if time is None else time.timestamp()


async def _record(registry: str, page: Page, _request: Request, query: RecordQuery) -> bytes:
    record = await read_record(page.reader, registry, query.id, at_of(query.at))
    return render("record.html", {**page.values(), "record": record, "query": query, "at": _unix(query.at)})


FindPage = Callable[[Request], Page]


@dataclass(frozen=True)
class PageRoute:
    """One address of the page."""

    path: str
    summary: str
    handle: Handler
    query: type[msgspec.Struct] = NoQuery

    def endpoint(self, find: FindPage) -> StarletteRoute:
        """The route for Starlette; errors are shown as pages too."""

        async def call(request: Request) -> Response:
            page = find(request)

            async def make() -> bytes:
                return await self.handle(
                    page, request, parse_query(request.scope["query_string"], self.query)
                )

            return await answer_page(make, partial(_problem_page, page))

        return StarletteRoute(self.path, call, name=f"page{self.path.replace('/', '_')}")


def _problem_page(page: Page, problem: Problem) -> bytes:
    values = {**page.values(), "title": phrase(problem.status), "detail": problem.detail}
    return render("problem.html", values)


PAGE_ROUTES = (
    PageRoute("/", "The page for people: status, drift, changes, the home.", _front, HomeQuery),
    PageRoute("/live", "The part of the page that updates itself.", _live),
    PageRoute("/home", "The home section, for a search as you type.", _home, HomeQuery),
    PageRoute("/drift", "All that differs, as a page.", _drift, DriftPageQuery),
    PageRoute("/changes", "Older changes, as a page.", _changes, OlderQuery),
    *(
        PageRoute(
            f"/{registry_text(registry)}",
            f"The page of a record of the {registry} registry, now or then.",
            partial(_record, registry),
            RecordQuery,
        )
        for registry in ("device", "entity", *SMALL)
    ),
    PageRoute("/devices", "All devices, as a table.", partial(_table, "device"), TableQuery),
    PageRoute("/entities", "All entities, as a table.", partial(_table, "entity"), TableQuery),
    PageRoute("/docs", "The API, rendered from its document.", _docs),
    PageRoute("/help", "What each verdict and each guard means, and what to do.", _help),
)


def page_endpoints(find: FindHome, document: Callable[[], bytes]) -> list[StarletteRoute]:
    """All routes of the page; `document` makes the OpenAPI document."""
    kept = WeakKeyDictionary[AppContext, KeptIndex]()  # for requested homes, as long as they exist

    def find_page(request: Request) -> Page:
        context = find(request)
        return Page(context, kept.setdefault(context, KeptIndex()), document)

    return [*(route.endpoint(find_page) for route in PAGE_ROUTES), static_route()]


def static_route() -> StarletteRoute:
    """The route of stylesheets, scripts and icons."""
    return StarletteRoute("/static/{name}", _static)


async def _static(request: Request) -> Response:
    parse_query(request.scope["query_string"], StaticQuery)
    name = request.path_params["name"]
    content = STATIC.get(name)
    if content is None:
        raise Problem(404, f"There is nothing at {request.url.path}.")
    etag = f'W/"{digest(content)}"'
    headers = {**_STATIC_HEADERS, "etag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(content, 200, headers, MEDIA_TYPES[f".{name.rpartition('.')[2]}"])
