"""Routes of the registries: pages and single records, now from the rows and then (`at`) from the records.

While nobody commits, an answer is made once. Otherwise one job reads the revision, stops there if the client has
the answer, or else reads the rows and encodes them, all in the inventory's thread and in one transaction.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from api.given import Given
from api.http.cache import Answer
from api.http.etags import RequestTag
from api.http.queries import AtQuery, DevicesQuery, EntitiesQuery, IntegrationsQuery, PageQuery
from api.http.routing import JSON, LIVE_HEADERS, VARY, Route, answer_live
from api.past import past_page, past_record
from api.ports import Filter, Moment, Row
from api.registries.bodies import DEVICES, ENTITIES
from api.registries.fate import missing
from api.registries.fields import BodyMaker
from api.registries.small import SMALL

KEPT_HEADERS = {"cache-control": "no-cache", "vary": VARY}


_ROW_STATUSES = (304, 503)
_PAST_STATUSES = (304, 404, 410, 501, 503)

# Areas and floors are few; all are read, because the store knows no order but that of the keys.
_ALL = 1_000_000

# What may be asked of a list, where that is more than a page of it.
QUERIES: dict[str, type[msgspec.Struct]] = {
    "device": DevicesQuery,
    "entity": EntitiesQuery,
    "config_entry": IntegrationsQuery,
}


def _page_struct(body: BodyMaker[Any]) -> type[Any]:
    """The page of a registry: (rows, count, limit, total, next, revision)."""
    rows = body.registry.route
    fields: list[tuple[str, Any]] = [
        (rows, list[body.type]),  # type: ignore[name-defined]  # made here, for each registry
        ("count", int),
        ("limit", int),
        ("total", int),
        ("next", str | None),
        ("revision", int | None),
    ]
    page = msgspec.defstruct(f"{rows.capitalize()}Page", fields, frozen=True)
    page.__doc__ = (
        "A page. `count` is its length, `total` that of all pages, `next` the `after` of the next one."
    )
    return page


def filters_of(query: msgspec.Struct) -> list[Filter]:
    """The filters that a query sets, a repeated one several times."""
    filters: list[Filter] = []
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if name not in ("limit", "after", "at") and value is not UNSET:
            filters += [(name, each) for each in (value if isinstance(value, tuple) else (value,))]
    return filters


def next_link(request: Request, next_key: str | None) -> str | None:
    """The Link header to the next page, relative, so that it holds behind any proxy's prefix."""
    if next_key is None:
        return None
    given = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    parameters = [(name, value) for name, value in given if name != "after"]
    return f'<?{urlencode([*parameters, ("after", next_key)])}>; rel="next"'


def _page(moment: Moment, body: BodyMaker[Any], filters: Sequence[Filter], query: Any) -> Sequence[Row]:
    """The rows of a page and one more, by key; where the user put them in an order, in that."""
    name = body.registry.name
    if not body.registry.is_ordered:
        return moment.page(name, body.columns, filters, query.after, query.limit + 1)
    place = 1 + body.columns.index("position")
    rows = moment.page(name, body.columns, filters, "", _ALL)
    # What has no place comes last. Rows are in the order of their keys, which sorting keeps.
    rows = sorted(rows, key=lambda row: (row[place] is None, row[place] or 0))
    first = next((i + 1 for i, row in enumerate(rows) if row[0] == query.after), None)
    if first is None:  # the row that ended the page before is gone
        rows, first = [row for row in rows if row[0] > query.after], 0
    return rows[first : first + query.limit + 1]


def list_route(body: BodyMaker[Any]) -> Route:
    """The route that lists a registry."""
    name, page_type = body.registry.name, _page_struct(body)

    async def handle(given: Given, request: Request, query: Any) -> Response:
        filters = filters_of(query)
        verdicts = given.verdicts()

        def build(moment: Moment) -> tuple[bytes, str | None]:
            rows = _page(moment, body, filters, query)
            total = moment.count(name, filters)
            next_key = rows[query.limit - 1][0] if len(rows) > query.limit else None
            made = [body.of_row(row, verdicts, is_listed=True) for row in rows[: query.limit]]
            page = page_type(made, len(made), query.limit, total, next_key, moment.revision)
            return msgspec.json.encode(page), next_link(request, next_key)

        if getattr(query, "at", UNSET) is not UNSET:
            rows, total, next_key = await past_page(given, name, query, filters)
            page = page_type(rows, len(rows), query.limit, total, next_key, None)
            link = next_link(request, next_key)
            headers = {**LIVE_HEADERS, "link": link} if link else LIVE_HEADERS
            return Response(msgspec.json.encode(page), 200, headers, JSON)
        return await _answer_kept(given, request, build)

    query = QUERIES.get(name, PageQuery)
    return Route(
        path=f"/api/{body.registry.route}",
        name=f"list_{body.registry.route}",
        summary=body.summary,
        handle=handle,
        body=page_type,
        query=query,
        statuses=_PAST_STATUSES if "at" in query.__struct_fields__ else _ROW_STATUSES,
    )


async def _answer_kept(
    given: Given, request: Request, build: Callable[[Moment], tuple[bytes, str | None]]
) -> Response:
    """What `build` makes at the store's revision, unless the client, or the cache, has that already."""
    # What is known of the rows is part of the answer.
    tag = RequestTag(request, f"{given.status().started_at}/{given.knowledge.generation}")
    witness = given.inventory.witness()

    def job(moment: Moment) -> Answer | str:
        etag = tag.at(moment.revision)
        return etag if tag.is_known(etag) else Answer(etag, *build(moment))

    answer = given.cache.get(tag.digest, witness)
    if answer is None:
        made = await given.inventory.read(job)
        if isinstance(made, str):
            return Response(None, 304, {**KEPT_HEADERS, "etag": made})
        answer = made
        given.cache.put(tag.digest, witness, answer)
    headers = {**KEPT_HEADERS, "etag": answer.etag}
    if tag.is_known(answer.etag):
        return Response(None, 304, headers)
    if answer.link:
        headers["link"] = answer.link
    return Response(answer.body, 200, headers, JSON)


class _NoRow(Exception):
    """The store has no such row at this moment."""


def single_route(body: BodyMaker[Any], summary: str) -> Route:
    """The route of one record of a registry, by the key of its pages."""
    name = body.registry.name

    async def handle(given: Given, request: Request, query: AtQuery) -> Response:
        id_ = request.path_params["id"]
        if query.at is not UNSET:
            return answer_live(await past_record(given, name, id_, query.at))
        verdicts = given.verdicts()

        def build(moment: Moment) -> tuple[bytes, None]:
            row = moment.row(name, body.columns, id_)
            if row is None:
                raise _NoRow
            return msgspec.json.encode(body.of_row(row, verdicts)), None

        try:
            return await _answer_kept(given, request, build)
        except _NoRow:
            raise await missing(given, name, id_, f"There is no {name} {id_[:255]!r}.") from None

    return Route(
        path=f"/api/{body.registry.route}/{{id}}",
        name=f"get_{name}",
        summary=summary,
        handle=handle,
        body=body.type,
        query=AtQuery,
        statuses=_PAST_STATUSES,
    )


ROUTES = (
    list_route(DEVICES),
    single_route(DEVICES, "One device."),
    list_route(ENTITIES),
    single_route(ENTITIES, "One entity, by its entity_id."),
    *map(list_route, SMALL.values()),
)
