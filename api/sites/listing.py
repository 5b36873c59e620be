"""The list of homes, and its filters."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import Problem
from api.http.queries import After, Limit100, NoQuery, Text
from api.http.routing import Route, answer_live, route
from api.sites.elsewhere import answer_elsewhere
from api.sites.ports import Sites, SiteView, Stage
from api.sites.words import site_word
from engine.core.state.report import open_keys
from engine.core.times import rfc3339

Tag = Annotated[Text, Meta(description="has this tag")]


class SitesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of homes; all filters must hold."""

    limit: Limit100 = 100
    after: After = ""
    tag: Tag | UnsetType = UNSET
    status: Literal["in_sync", "out_of_sync", "blocked", "unknown", "paused"] | UnsetType = UNSET
    q: (
        Annotated[Text, Meta(description="its name, label or address contains this, in any case")] | UnsetType
    ) = UNSET


class SiteBody(msgspec.Struct, frozen=True):
    """One home. `stage` is this process's progress with it, `reason` why it is no further or what is wrong."""

    name: str
    label: str
    tags: tuple[str, ...]
    stage: Stage
    status: str
    reason: str | None
    source: str | None
    connected: bool
    version: str | None
    synced_at: str | None
    pending: int
    differing: int | None
    records: int | None


class SitesPage(msgspec.Struct, frozen=True):
    """A page of homes, by name. `total` and `by_status` count all that match; a paused home counts as paused, not as unknown."""

    sites: list[SiteBody]
    total: int
    by_status: dict[str, int]
    next: str | None


def body_of(view: SiteView, now: float) -> SiteBody:
    """The body of a home at `now` (Unix seconds)."""
    status, report = view.status, view.status.report if view.status else None
    synced = [replica.synced_at for replica in status.replicas] if status else []
    times = [at for at in synced if at is not None]
    error = status.source.error if status else None
    word = site_word(view, now)
    is_known = report is not None and word != "unknown"
    is_compared = report is not None and all(replica.is_compared for replica in report.replicas)
    return SiteBody(
        name=view.name,
        label=view.label,
        tags=view.tags,
        stage=view.stage,
        status=word,
        reason=view.reason or error or _replica_error(view),
        source=status.source.uri if status else None,
        connected=bool(status and status.source.connected),
        version=status.source.version if status else None,
        synced_at=rfc3339(min(times)) if times and len(times) == len(synced) else None,
        pending=sum(replica.pending for replica in status.replicas) if status else 0,
        differing=len(open_keys(report)) if is_known and is_compared else None,
        records=report.source.records if is_known and report else None,
    )


def _replica_error(view: SiteView) -> str | None:
    replicas = view.status.replicas if view.status else ()
    return next((replica.error for replica in replicas if replica.error), None)


def chosen(views: Sequence[SiteView], query: SitesQuery, now: float) -> list[SiteBody]:
    """The homes that match a query, with their statuses at `now` (Unix seconds)."""
    bodies = (body_of(view, now) for view in views if query.tag is UNSET or query.tag in view.tags)
    return [
        body
        for body in bodies
        if (query.status is UNSET or counted_as(body) == query.status)
        and (query.q is UNSET or _contains(body, query.q.casefold()))
    ]


def counted_as(body: SiteBody) -> str:
    """The status under which a home is counted and found: a paused home counts as paused, not as unknown."""
    return "paused" if body.stage == Stage.PAUSED else body.status


def _contains(body: SiteBody, wanted: str) -> bool:
    return any(wanted in (text or "").casefold() for text in (body.name, body.label, body.source))


def check_tag(sites: Sites, tag: str | UnsetType) -> None:
    """Raises Problem 404 when no home has the tag, because an empty answer would be misleading."""
    if tag is not UNSET and not any(tag in view.tags for view in sites.views()):
        raise Problem(404, f"No home of this service has the tag {tag[:64]!r}.")


def check_home(sites: Sites, name: str) -> None:
    """Raises Problem 404 when this process does not have the home."""
    if sites.view(name) is None:
        elsewhere = sites.elsewhere(name)
        if elsewhere is None:
            raise no_such_home(name)
        raise Problem(
            404,
            f"Another process keeps the home {name[:64]!r}"
            f"{f', {elsewhere.owner}' if elsewhere.owner else ''}. /api/sites/{name[:64]} leads there.",
        )


class Asked(msgspec.Struct, frozen=True):
    """The homes, and the time of the request."""

    sites: Sites
    now: float


@route("/api/sites", SitesPage, statuses=(404,))
async def list_sites(found: Asked, _request: Request, query: SitesQuery) -> Response:
    """The homes of this service."""
    check_tag(found.sites, query.tag)
    bodies = chosen(found.sites.views(), query, found.now)
    behind = [body for body in bodies if body.name > query.after]
    page = behind[: query.limit]
    by_status: dict[str, int] = {}
    for body in bodies:
        by_status[counted_as(body)] = by_status.get(counted_as(body), 0) + 1
    more = page[-1].name if len(behind) > len(page) else None
    return answer_live(SitesPage(page, len(bodies), by_status, more))


@route("/api/sites/{site}", SiteBody, statuses=(404, 503))
async def get_site(found: Asked, request: Request, _query: NoQuery) -> Response:
    """One home; its own routes are below this path."""
    name = str(request.path_params["site"])
    view = found.sites.view(name)
    if view is None:
        elsewhere = found.sites.elsewhere(name)
        if elsewhere is None:
            raise no_such_home(name)
        return answer_elsewhere(name, elsewhere, request.scope)
    return answer_live(body_of(view, found.now))


def no_such_home(name: str) -> Problem:
    """The answer for a home that this process does not have."""
    return Problem(404, f"This service has no home called {name[:64]!r}. /api/sites lists its homes.")


ROUTES: tuple[Route, ...] = (list_sites, get_site)
