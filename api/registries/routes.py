"""Routes of the registries: lists, single records and counts, from the current rows or from past records (`at`)."""

from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.exactness import exactness
from api.http.problems import Problem
from api.http.queries import AreaEntitiesQuery, AtQuery
from api.http.routing import Route, answer_live
from api.past import read_past
from api.past_homes import AskedRecord
from api.ports import ReadTransaction
from api.registries.bodies.contents import with_contents
from api.registries.bodies.devices_and_entities import DEVICES, ENTITIES
from api.registries.bodies.fields import BodyMaker
from api.registries.bodies.places import places_now
from api.registries.bodies.small import SMALL
from api.registries.facets import get_facets
from api.registries.fate import missing
from api.registries.list_queries import query_of
from api.registries.lists import (
    PAST_NEEDED,
    PAST_STATUSES,
    answer_kept,
    list_handler,
    list_route,
    page_struct,
)
from engine.core.state.record_verdict import Verdicts
from engine.core.times import rfc3339


class _NoRow(Exception):
    """The store has no such row now."""


def _body(
    body: BodyMaker[Any], id_: str, verdicts: Verdicts | None, transaction: ReadTransaction
) -> msgspec.Struct | None:
    name = body.registry.name
    row = transaction.row(name, body.columns, id_)
    if row is None and name == "entity":
        row = next(iter(transaction.rows("entity", body.columns, [id_])), None)
    if row is None:
        row = transaction.row(name, body.columns, transaction.spelled(name, id_))
    if row is None:
        return None
    made: msgspec.Struct = body.of_row(row, verdicts, places=places_now(transaction))
    return made


def single_route(body: BodyMaker[Any], summary: str) -> Route:
    """The route of one record of a registry, by the key of its pages."""
    name = body.registry.name

    async def handle(context: AppContext, request: Request, query: AtQuery) -> Response:
        id_ = request.path_params["id"]
        if query.at is not UNSET:
            needed = (*PAST_NEEDED, name)
            made = await read_past(
                context, query.at, needed, partial(_body, body, id_, None), AskedRecord(name, id_)
            )
            if made is None:
                raise Problem(404, f"There was no {name} {id_[:255]!r} at {rfc3339(query.at.timestamp())}.")
            answer = answer_live(made)
            answer.headers.update(await exactness(context, query.at))
            return answer
        verdicts = context.verdicts()

        def build(transaction: ReadTransaction) -> tuple[bytes, None]:
            made = _body(body, id_, verdicts, transaction)
            if made is None:
                raise _NoRow
            return msgspec.json.encode(with_contents(transaction, [made])[0]), None

        try:
            return await answer_kept(context, request, build)
        except _NoRow:
            raise await missing(context, name, id_, f"There is no {name} {id_[:255]!r}.") from None

    # A category's id contains a slash.
    parameter = "{id:path}" if len(body.registry.key) > 1 else "{id}"
    return Route(
        path=f"/api/{body.registry.route}/{parameter}",
        name=f"get_{name}",
        summary=summary,
        handle=handle,
        body=body.type,
        query=AtQuery,
        statuses=PAST_STATUSES,
    )


def _entities_of_area(listed: Route) -> Route:
    """HomeIQ's route for the entities of an area, in the envelope that HomeIQ expects."""
    page = page_struct(ENTITIES, "AreaEntitiesPage", (("success", bool), ("area_id", str)))
    answer = list_handler(ENTITIES, page, lambda request: (True, request.path_params["id"]))

    async def handle(context: AppContext, request: Request, query: Any) -> Response:
        area_id = request.path_params["id"]
        whole = listed.query(
            **{name: getattr(query, name) for name in query.__struct_fields__}, area_id=area_id
        )
        return await answer(context, request, whole)

    return Route(
        path="/api/entities/by-area/{id}",
        name="list_entities_of_area",
        summary="The entities that are effectively in an area.",
        handle=handle,
        body=page,
        query=query_of("AreaEntitiesPageQuery", AreaEntitiesQuery, ENTITIES.type, ENTITIES.columns),
        statuses=listed.statuses,
        other_media_types=listed.other_media_types,
    )


_ENTITIES = list_route(ENTITIES)
ROUTES = (
    list_route(DEVICES),
    single_route(DEVICES, "One device."),
    _ENTITIES,
    single_route(ENTITIES, "One entity, by its entity_id, or its registry id."),
    _entities_of_area(_ENTITIES),
    *map(list_route, SMALL.values()),
    *(single_route(body, f"One {name.replace('_', ' ')}, by its id.") for name, body in SMALL.items()),
    get_facets,
)
