"""Routes over all homes of a fleet: devices and models, the status of each home, and the homes that need attention."""

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from api.fleet.answers import Viewed, check_asked, why_not_ready
from api.fleet.bodies import ViewedDevices, ViewedDrift, ViewedModels, ViewedSites
from api.fleet.ports import ViewTransaction
from api.fleet.queries import ViewedDevicesQuery, ViewedDriftQuery, ViewedModelsQuery, ViewedSitesQuery
from api.fleet.stream import stream_viewed_changes
from api.http.queries import NoQuery
from api.http.routing import Route, answer_live, route
from api.state.health import get_liveness
from engine.core.times import Instant, instant


class ViewReady(msgspec.Struct, frozen=True):
    """Whether the view has read everything that existed when it started; `behind` counts the unread messages."""

    status: str
    as_of: Instant | None
    behind: int | None
    reason: str | None


@route("/api/fleet/devices", ViewedDevices, statuses=(304, 404, 503))
async def list_viewed_devices(found: Viewed, request: Request, query: ViewedDevicesQuery) -> Response:
    """Devices of all homes of the fleet."""

    def make(transaction: ViewTransaction, as_of: Instant) -> ViewedDevices:
        devices, more = transaction.devices(query)
        if not devices:
            check_asked(transaction, query.tag, query.site, found.now)
        return ViewedDevices(devices, as_of, more)

    return await found.answer(request, make)


@route("/api/fleet/models", ViewedModels, statuses=(304, 404, 503))
async def list_viewed_models(found: Viewed, request: Request, query: ViewedModelsQuery) -> Response:
    """Models and firmwares of the fleet, with their numbers of devices and homes."""

    def make(transaction: ViewTransaction, as_of: Instant) -> ViewedModels:
        models, total = transaction.models(query)
        if not models:
            check_asked(transaction, query.tag, UNSET, found.now)
        return ViewedModels(models, total, as_of)

    return await found.answer(request, make)


@route("/api/fleet/sites", ViewedSites, statuses=(404, 503))
async def list_viewed_sites(found: Viewed, _request: Request, query: ViewedSitesQuery) -> Response:
    """Homes of the fleet: each one's status, since when, and its owner."""
    as_of = instant(found.standing().as_of)

    def make(transaction: ViewTransaction) -> ViewedSites:
        sites = transaction.sites(query, found.now)
        counts = transaction.counts(query, found.now)
        if not sites:
            check_asked(transaction, query.tag, UNSET, found.now)
        page = sites[: query.limit]
        more = page[-1].name if len(sites) > query.limit else None
        wanted = counts.values() if query.status is UNSET else [counts[query.status]]
        return ViewedSites(page, sum(wanted), counts, as_of, more)

    return answer_live(await found.view.read(make))


@route("/api/fleet/drift", ViewedDrift, statuses=(404, 503))
async def get_viewed_drift(found: Viewed, _request: Request, query: ViewedDriftQuery) -> Response:
    """Homes of the fleet that are blocked, differ or are unknown, the worst first."""
    as_of = instant(found.standing().as_of)
    asked = ViewedSitesQuery(limit=query.limit, tag=query.tag)

    def make(transaction: ViewTransaction) -> ViewedDrift:
        sites = transaction.sites(asked, found.now, worst_first=True)
        counts = transaction.counts(asked, found.now)
        if not sites:
            check_asked(transaction, query.tag, UNSET, found.now)
        bad = [site for site in sites[: query.limit] if site.status != "in_sync"]
        return ViewedDrift(bad, sum(counts.values()), counts, as_of)

    return answer_live(await found.view.read(make))


@route("/readyz", ViewReady, statuses=(503,))
async def get_readiness(found: Viewed, _request: Request, _query: NoQuery) -> Response:
    """Whether the view has read everything that existed when it started."""
    standing = found.view.standing()
    word = "ready" if standing.replayed else "not_ready"
    reason = standing.problem if standing.replayed else why_not_ready(standing)
    body = ViewReady(word, instant(standing.as_of), standing.behind, reason)
    return answer_live(body, 200 if standing.replayed else 503)


ROUTES: tuple[Route, ...] = (
    list_viewed_devices,
    list_viewed_models,
    list_viewed_sites,
    get_viewed_drift,
    stream_viewed_changes,
    get_liveness,
    get_readiness,
)
