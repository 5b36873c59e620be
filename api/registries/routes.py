"""Routes of the registries: pages and single records, now from the rows and then (`at`) from the records.

While nobody commits, an answer is made once. Otherwise one job reads the revision, stops there if the client has
the answer, or else reads the rows and encodes them, all in the inventory's thread and in one transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from api.registries.bodies import (
    DEVICE_COLUMNS,
    ENTITY_COLUMNS,
    Device,
    Entity,
    device_of_row,
    entity_of_row,
)
from api.registries.fate import missing
from api.registries.small import Area, Category, Floor, Integration, Label, columns_for, row_maker
from engine.core.state.record_verdict import Verdicts

KEPT_HEADERS = {"cache-control": "no-cache", "vary": VARY}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """How one registry is listed."""

    registry: str
    columns: tuple[str, ...]
    make: Callable[[Row, Verdicts], msgspec.Struct]
    page: type[msgspec.Struct]  # (rows, count, limit, total, next, revision)


def _page_struct(name: str, rows: str, body: type[msgspec.Struct]) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any]] = [
        (rows, list[body]),  # type: ignore[valid-type]  # made here, for each registry
        ("count", int),
        ("limit", int),
        ("total", int),
        ("next", str | None),
        ("revision", int | None),
    ]
    page = msgspec.defstruct(name, fields, frozen=True)
    page.__doc__ = (
        "A page. `count` is its length, `total` that of all pages, `next` the `after` of the next one."
    )
    return page


def _listing(registry: str, name: str, rows: str, body: type[msgspec.Struct]) -> Listing:
    return Listing(
        registry=registry,
        columns=columns_for(body),
        make=row_maker(body, registry),
        page=_page_struct(name, rows, body),
    )


DEVICES = Listing(
    registry="device",
    columns=DEVICE_COLUMNS,
    make=lambda row, verdicts: device_of_row(row, "Unknown", verdicts),
    page=_page_struct("DevicesPage", "devices", Device),
)
ENTITIES = Listing(
    registry="entity",
    columns=ENTITY_COLUMNS,
    make=lambda row, verdicts: entity_of_row(row, "unknown", verdicts),
    page=_page_struct("EntitiesPage", "entities", Entity),
)
# Areas and floors are few; all are read, because the store knows no order but that of the keys.
_ALL = 1_000_000

SMALL = (
    (
        "areas",
        "Areas, in the user's order, where there is one, else by id.",
        _listing("area", "AreasPage", "areas", Area),
        PageQuery,
    ),
    (
        "floors",
        "Floors, in the user's order, where there is one, else by id.",
        _listing("floor", "FloorsPage", "floors", Floor),
        PageQuery,
    ),
    ("labels", "Labels, by id.", _listing("label", "LabelsPage", "labels", Label), PageQuery),
    (
        "categories",
        "Categories, by scope and id.",
        _listing("category", "CategoriesPage", "categories", Category),
        PageQuery,
    ),
    (
        "integrations",
        "Integrations: the config entries, by id.",
        _listing("config_entry", "IntegrationsPage", "integrations", Integration),
        IntegrationsQuery,
    ),
)


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


def _page(moment: Moment, listing: Listing, filters: Sequence[Filter], query: Any) -> Sequence[Row]:
    """The rows of a page and one more, by key; where the user put them in an order, in that."""
    if "position" not in listing.columns:
        return moment.page(listing.registry, listing.columns, filters, query.after, query.limit + 1)
    place = 1 + listing.columns.index("position")
    rows = moment.page(listing.registry, listing.columns, filters, "", _ALL)
    # What has no place comes last. Rows are in the order of their keys, which sorting keeps.
    rows = sorted(rows, key=lambda row: (row[place] is None, row[place] or 0))
    first = next((i + 1 for i, row in enumerate(rows) if row[0] == query.after), None)
    if first is None:  # the row that ended the page before is gone
        rows, first = [row for row in rows if row[0] > query.after], 0
    return rows[first : first + query.limit + 1]


def list_handler(listing: Listing) -> Callable[[Given, Request, Any], Any]:
    """The handler of a registry's list route."""

    async def handle(given: Given, request: Request, query: Any) -> Response:
        filters = filters_of(query)
        verdicts = given.verdicts()

        def build(moment: Moment) -> tuple[bytes, str | None]:
            rows = _page(moment, listing, filters, query)
            total = moment.count(listing.registry, filters)
            next_key = rows[query.limit - 1][0] if len(rows) > query.limit else None
            made = [listing.make(row, verdicts) for row in rows[: query.limit]]
            page = listing.page(made, len(made), query.limit, total, next_key, moment.revision)
            return msgspec.json.encode(page), next_link(request, next_key)

        if getattr(query, "at", UNSET) is not UNSET:
            rows, total, next_key = await past_page(given, listing.registry, query, filters)
            page = listing.page(rows, len(rows), query.limit, total, next_key, None)
            link = next_link(request, next_key)
            headers = {**LIVE_HEADERS, "link": link} if link else LIVE_HEADERS
            return Response(msgspec.json.encode(page), 200, headers, JSON)
        return await _answer_kept(given, request, build)

    return handle


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


async def get_device(given: Given, request: Request, query: AtQuery) -> Response:
    """One device by its id."""
    return await _get_one(given, request, query, DEVICES)


async def get_entity(given: Given, request: Request, query: AtQuery) -> Response:
    """One entity by its entity_id."""
    return await _get_one(given, request, query, ENTITIES)


async def _get_one(given: Given, request: Request, query: AtQuery, listing: Listing) -> Response:
    id_ = request.path_params["id"]
    if query.at is not UNSET:
        return answer_live(await past_record(given, listing.registry, id_, query.at))
    make = device_of_row if listing is DEVICES else entity_of_row
    verdicts = given.verdicts()

    def build(moment: Moment) -> tuple[bytes, None]:
        row = moment.row(listing.registry, listing.columns, id_)
        if row is None:
            raise _NoRow
        return msgspec.json.encode(make(row, None, verdicts)), None

    try:
        return await _answer_kept(given, request, build)
    except _NoRow:
        raise await missing(
            given, listing.registry, id_, f"There is no {listing.registry} {id_[:255]!r}."
        ) from None


_ROW_STATUSES = (304, 503)
_PAST_STATUSES = (304, 404, 501, 503)

ROUTES = (
    Route(
        path="/api/devices",
        name="list_devices",
        summary="Devices, by id. An absent manufacturer or model is shown as Unknown.",
        handle=list_handler(DEVICES),
        body=DEVICES.page,
        query=DevicesQuery,
        statuses=_PAST_STATUSES,
    ),
    Route(
        path="/api/devices/{id}",
        name="get_device",
        summary="One device.",
        handle=get_device,
        body=Device,
        query=AtQuery,
        statuses=_PAST_STATUSES,
    ),
    Route(
        path="/api/entities",
        name="list_entities",
        summary="Entities, by entity_id. An absent platform is shown as unknown.",
        handle=list_handler(ENTITIES),
        body=ENTITIES.page,
        query=EntitiesQuery,
        statuses=_PAST_STATUSES,
    ),
    Route(
        path="/api/entities/{id}",
        name="get_entity",
        summary="One entity, by its entity_id.",
        handle=get_entity,
        body=Entity,
        query=AtQuery,
        statuses=_PAST_STATUSES,
    ),
    *(
        Route(
            path=f"/api/{name}",
            name=f"list_{name}",
            summary=summary,
            handle=list_handler(listing),
            body=listing.page,
            query=query,
            statuses=_ROW_STATUSES,
        )
        for name, summary, listing, query in SMALL
    ),
)
