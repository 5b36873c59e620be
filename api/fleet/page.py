"""The page of a fleet view: homes by status, the worst first, and a search for devices and models."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from api.fleet.answers import Viewed, check_asked, left_out_notices, standing_notice
from api.fleet.bodies import ViewedSite
from api.fleet.ports import ViewTransaction
from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from api.http.problems import Problem, phrase
from api.http.queries import parse_query
from api.page.page_answer import answer_page
from api.page.routes import static_route
from api.page.templates import link, render
from engine.core.times import Instant

PAGE_SIZE = 100
MODELS_SHOWN = 1000

_Text = Annotated[str, Meta(max_length=255)]
_FIELDS = {
    "manufacturer": "Manufacturer",
    "model": "Model",
    "sw_version": "Firmware",
    "site": "Home",
    "tag": "Tag of its home",
}

FindView = Callable[[Request], Viewed]
Handler = Callable[[Viewed, Any], Awaitable[bytes]]


class HomesPageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The search for homes. Empty parameters are ignored."""

    q: _Text = ""
    tag: _Text = ""
    status: Literal["", "blocked", "out_of_sync", "unknown", "in_sync"] = ""
    page: Annotated[int, Meta(ge=1, le=10_000)] = 1


class DevicesPageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The search for devices. Empty parameters are ignored."""

    q: _Text = ""
    manufacturer: _Text = ""
    model: _Text = ""
    sw_version: _Text = ""
    site: _Text = ""
    tag: _Text = ""
    after: Annotated[str, Meta(max_length=1024)] = ""


class ModelsPageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Models of the homes with a tag."""

    tag: _Text = ""


class ShownHome(msgspec.Struct, frozen=True):
    """A home in a row; `href` links to its page at its owner, if the owner publishes an address."""

    name: str
    label: str
    tags: tuple[str, ...]
    href: str | None
    stage: str | None
    status: str
    since: Instant | None
    reason: str | None
    connected: bool | None
    heard_at: Instant | None
    differing: int | None
    devices: int


def page_address(site: ViewedSite) -> str | None:
    """The address of a home's page at its owner; None if there is none that a browser should follow."""
    url = site.url or ""
    if not url.startswith(("http://", "https://")):
        return None
    return f"{url.rstrip('/')}/sites/{quote(site.name, safe='')}/"


async def _homes(found: Viewed, query: HomesPageQuery) -> bytes:
    asked = ViewedSitesQuery(q=query.q, tag=query.tag or UNSET, limit=PAGE_SIZE)
    if query.status:
        asked = msgspec.structs.replace(asked, status=query.status)
    values: dict[str, object] = {"query": query}

    def read(transaction: ViewTransaction) -> None:
        counts = transaction.counts(asked, found.now)
        check_asked(transaction, asked.tag, UNSET, found.now)
        offset = (query.page - 1) * PAGE_SIZE
        sites = transaction.sites(asked, found.now, worst_first=True, offset=offset)
        wanted = counts[query.status] if query.status else sum(counts.values())
        values.update(
            counts=counts,
            total=sum(transaction.counts(ViewedSitesQuery(), found.now).values()),
            found=wanted,
            pages=max(1, -(-wanted // PAGE_SIZE)),
            homes=[_shown(site) for site in sites[:PAGE_SIZE]],
            tags=transaction.tags(),
            left_out=left_out_notices(transaction.oddities()),
        )

    await found.view.read(read)
    return render("fleet_homes.html", _common(found) | values)


async def _devices(found: Viewed, query: DevicesPageQuery) -> bytes:
    given = {name: value for name, value in msgspec.structs.asdict(query).items() if value}
    asked = ViewedDevicesQuery(**given, limit=PAGE_SIZE)
    values: dict[str, object] = {"query": msgspec.structs.asdict(query), "fields": _FIELDS}

    def read(transaction: ViewTransaction) -> None:
        devices, after = transaction.devices(asked)
        if not devices:
            check_asked(transaction, asked.tag, asked.site, found.now)
        sites = transaction.named_sites({device.site for device in devices}, found.now)
        narrowed = {name: value for name, value in given.items() if name != "after"}
        values.update(
            devices=devices,
            homes={site.name: page_address(site) for site in sites},
            more=link("devices", after=after, **narrowed) if after else None,
            is_narrowed=bool(given),
        )

    await found.view.read(read)
    return render("fleet_devices.html", _common(found) | values)


async def _models(found: Viewed, query: ModelsPageQuery) -> bytes:
    values: dict[str, object] = {"query": query}

    def read(transaction: ViewTransaction) -> None:
        models, total = transaction.models(ViewedModelsQuery(limit=MODELS_SHOWN, tag=query.tag or UNSET))
        check_asked(transaction, query.tag or UNSET, UNSET, found.now)
        values.update(models=models, total=total, tags=transaction.tags())

    await found.view.read(read)
    return render("fleet_models.html", _common(found) | values)


def _shown(site: ViewedSite) -> ShownHome:
    return ShownHome(
        name=site.name,
        label=site.label,
        tags=site.tags,
        href=page_address(site),
        stage=site.stage,
        status=site.status,
        since=site.since,
        reason=site.reason,
        connected=site.connected,
        heard_at=site.heard_at,
        differing=site.differing,
        devices=site.devices,
    )


def _common(found: Viewed) -> dict[str, object]:
    """The values for every page."""
    standing = found.view.standing()
    return {"now": found.now, "as_of": standing.as_of, "notice": standing_notice(standing, found.now)}


@dataclass(frozen=True)
class ViewPage:
    """One address of the page."""

    path: str
    summary: str
    handle: Handler
    query: type[msgspec.Struct]

    def endpoint(self, find: FindView) -> StarletteRoute:
        """The route for Starlette; errors are shown as pages too."""

        async def call(request: Request) -> Response:
            found = find(request)

            async def make() -> bytes:
                query = parse_query(request.scope["query_string"], self.query)
                found.standing()
                return await self.handle(found, query)

            return await answer_page(make, partial(_problem_page, found))

        return StarletteRoute(self.path, call, name=f"page{self.path.replace('/', '_')}")


def _problem_page(found: Viewed, problem: Problem) -> bytes:
    values = _common(found) | {"title": phrase(problem.status), "detail": problem.detail, "notice": None}
    return render("fleet_base.html", values)


PAGES = (
    ViewPage("/", "The page for people: homes by status, the worst first.", _homes, HomesPageQuery),
    ViewPage("/devices", "A search over the devices of all homes, as a page.", _devices, DevicesPageQuery),
    ViewPage("/models", "Models and firmwares of all homes, as a page.", _models, ModelsPageQuery),
)


def page_endpoints(find: FindView) -> list[StarletteRoute]:
    """All routes of the page."""
    return [*(page.endpoint(find) for page in PAGES), static_route()]
