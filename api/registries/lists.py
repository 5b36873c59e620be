"""The lists of all registries: pages of the current rows, or of past records (`at`), in the requested format.

An answer is cached until the next commit. Otherwise one job reads the revision, stops if the client already has
the answer, or else reads the rows and encodes them, all in the reader's thread and in one transaction.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.exactness import exactness
from api.http.cache import CachedAnswer
from api.http.etags import RequestTag
from api.http.problems import Problem
from api.http.queries import (
    AreasQuery,
    CategoriesQuery,
    DevicesQuery,
    EntitiesQuery,
    IntegrationsQuery,
    ListQuery,
    PageQuery,
)
from api.http.routing import JSON, LIVE_HEADERS, VARY, Handler, Route
from api.past import read_past
from api.ports import Filter, ReadTransaction, Row
from api.registries.bodies.contents import with_contents
from api.registries.bodies.fields import BodyMaker
from api.registries.bodies.places import places_now
from api.registries.forms import CSV, as_chosen, as_csv, chosen_fields, sort_column, wants_csv
from api.registries.list_queries import query_of, sort_columns
from api.registries.selection import Selection, check_named, filters_for
from engine.core.state.record_verdict import Verdicts

KEPT_HEADERS = {"cache-control": "no-cache", "vary": f"{VARY}, Accept"}
PAST_STATUSES = (304, 404, 410, 501, 503)

# Areas and floors are few; all are read, because the store only sorts by key.
_ALL = 1_000_000

# The queries of lists with more parameters than a page has.
QUERIES: dict[str, type[msgspec.Struct]] = {
    "device": DevicesQuery,
    "entity": EntitiesQuery,
    "area": AreasQuery,
    "category": CategoriesQuery,
    "config_entry": IntegrationsQuery,
}
# The registries that devices and entities, and their derived values, depend on.
PAST_NEEDED = ("area", "config_entry", "device", "entity", "floor")
# Parameters that are not filters of rows; `tag` filters homes.
_NO_FILTERS = frozenset(
    {*ListQuery.__struct_fields__, "limit", "after", "at", "registry", "facet", "tag", "site"}
)


def page_struct(body: BodyMaker[Any], name: str = "", lead: Sequence[tuple[str, Any]] = ()) -> type[Any]:
    """The page struct of a registry: (rows, count, limit, total, next, revision), after the fields of `lead`."""
    rows = body.registry.route
    fields: list[tuple[str, Any]] = [
        *lead,
        (rows, list[dict[str, Any]]),  # with `fields`, a row has fewer fields than the body
        ("count", int),
        ("limit", int),
        ("total", int),
        ("next", str | None),
        ("revision", int | None),
    ]
    page = msgspec.defstruct(
        name or f"{rows.capitalize()}Page", fields, frozen=True, namespace={"ROWS": (rows, body.type)}
    )
    page.__doc__ = (
        "A page. `count` is its length, `total` that of all pages, `next` the `after` of the next one."
    )
    return page


def filters_of(query: msgspec.Struct) -> list[Filter]:
    """The filters in a query, a repeated one several times."""
    filters: list[Filter] = []
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if name not in _NO_FILTERS and value is not UNSET:
            filters += [(name, each) for each in (value if isinstance(value, tuple) else (value,))]
    return filters


def next_link(request: Request, next_key: str | None) -> str | None:
    """The Link header to the next page, relative, so that it works behind any proxy's prefix."""
    if next_key is None:
        return None
    context = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    parameters = [(name, value) for name, value in context if name != "after"]
    return f'<?{urlencode([*parameters, ("after", next_key)])}>; rel="next"'


def _bodies(
    transaction: ReadTransaction,
    body: BodyMaker[Any],
    verdicts: Verdicts | None,
    query: Any,
    selection: Selection,
) -> tuple[Sequence[msgspec.Struct], int, str | None]:
    """(bodies, total, the key that the next page follows) of a page, with verdicts, if given."""
    rows, total = _page(transaction, body, verdicts, query, selection)
    if total == 0:
        check_named(transaction, body.registry.name, selection.filters)
    next_key = rows[query.limit - 1][0] if len(rows) > query.limit else None
    places = places_now(transaction)
    return body.of_rows(rows[: query.limit], verdicts, is_listed=True, places=places), total, next_key


def _page(
    transaction: ReadTransaction,
    body: BodyMaker[Any],
    verdicts: Verdicts | None,
    query: Any,
    selection: Selection,
) -> tuple[Sequence[Row], int]:
    """The rows of a page and one more, and the number of all."""
    name = body.registry.name
    if selection.is_search and not body.registry.is_ordered:
        found = transaction.found(name, selection.words)
        first = bisect_right(found, query.after)
        return transaction.keyed(name, body.columns, found[first : first + query.limit + 1]), len(found)
    filters = filters_for(transaction, name, verdicts, selection)
    return _rows(transaction, body, filters, query, selection.sort), transaction.count(name, filters)


def _rows(
    transaction: ReadTransaction, body: BodyMaker[Any], filters: Sequence[Filter], query: Any, sort: str
) -> Sequence[Row]:
    """The rows of a page and one more: in the requested order, else in the user's, else by key."""
    name = body.registry.name
    if sort:
        keys = transaction.keys(name, filters, sort)
        first = _place_after(transaction, name, keys, query.after, sort)
        return transaction.keyed(name, body.columns, keys[first : first + query.limit + 1])
    if not body.registry.is_ordered:
        return transaction.page(name, body.columns, filters, query.after, query.limit + 1)
    place = 1 + body.columns.index("position")
    rows = transaction.page(name, body.columns, filters, "", _ALL)
    # Rows without a position come last. Sorting is stable and keeps the order of keys.
    rows = sorted(rows, key=lambda row: (row[place] is None, row[place] or 0))
    behind = next((i + 1 for i, row in enumerate(rows) if row[0] == query.after), None)
    if behind is None:  # the last row of the previous page is gone
        rows, behind = [row for row in rows if row[0] > query.after], 0
    return rows[behind : behind + query.limit + 1]


def _place_after(
    transaction: ReadTransaction, registry: str, keys: Sequence[str], after: str, sort: str
) -> int:
    """The place in sorted `keys` of the first one behind `after`. Raises Problem 410 when that row is gone."""
    if not after:
        return 0
    if after in keys:
        return keys.index(after) + 1
    whole = transaction.keys(registry, (), sort)  # the row may only have stopped matching the filters
    if after not in whole:
        raise Problem(
            410,
            f"There is no {registry} {after[:255]!r} any more to continue after. List again without `after`.",
        )
    before = set(whole[: whole.index(after)])
    return sum(key in before for key in keys)


class _Form(NamedTuple):
    """The encoding of the rows of one answer."""

    page: type[Any]
    lead: tuple[object, ...]
    query: Any
    fields: tuple[str, ...]
    is_csv: bool

    @property
    def media_type(self) -> str:
        return CSV if self.is_csv else JSON

    def encode(
        self, rows: Sequence[msgspec.Struct], total: int, next_key: str | None, revision: int | None
    ) -> bytes:
        if self.is_csv:
            return as_csv(rows, self.fields)
        context = list(rows) if self.query.fields is UNSET else as_chosen(rows, self.fields)
        page = self.page(*self.lead, context, len(rows), self.query.limit, total, next_key, revision)
        return msgspec.json.encode(page)


def list_handler(
    body: BodyMaker[Any],
    page_type: type[Any],
    lead_of: Callable[[Request], tuple[object, ...]] = lambda _: (),
) -> Handler:
    """The handler for pages of a registry; `lead_of` gives the fields before the rows."""
    name = body.registry.name
    columns = sort_columns(body.type, body.columns)

    async def handle(context: AppContext, request: Request, query: Any) -> Response:
        form = _Form(
            page_type, lead_of(request), query, chosen_fields(body.type, query), wants_csv(request, query)
        )
        state = "" if query.state is UNSET else query.state
        selection = Selection(tuple(filters_of(query)), query.q, state, sort_column(columns, query))
        verdicts = context.verdicts()

        def build(transaction: ReadTransaction) -> tuple[bytes, str | None]:
            made, total, next_key = _bodies(transaction, body, verdicts, query, selection)
            page = form.encode(with_contents(transaction, made), total, next_key, transaction.revision)
            return page, next_link(request, next_key)

        def build_past(transaction: ReadTransaction) -> tuple[bytes, str | None]:
            made, total, next_key = _bodies(transaction, body, None, query, selection)
            if state:  # only current records have a verdict
                made, total, next_key = (), 0, None
            return form.encode(made, total, next_key, None), next_link(request, next_key)

        if query.at is not UNSET:
            page, link = await read_past(context, query.at, (*PAST_NEEDED, "label", name), build_past)
            headers = {
                **LIVE_HEADERS,
                **await exactness(context, query.at),
                **({"link": link} if link else {}),
            }
            return Response(page, 200, headers, form.media_type)
        return await answer_kept(context, request, build, form.media_type)

    return handle


def list_route(body: BodyMaker[Any]) -> Route:
    """The route that lists a registry."""
    name, page_type = body.registry.name, page_struct(body)
    base = QUERIES.get(name, PageQuery)
    return Route(
        path=f"/api/{body.registry.route}",
        name=f"list_{body.registry.route}",
        summary=body.summary,
        handle=list_handler(body, page_type),
        body=page_type,
        query=query_of(f"{page_type.__name__}Query", base, body.type, body.columns),
        statuses=PAST_STATUSES,
        other_media_types=(CSV,),
    )


async def answer_kept(
    context: AppContext,
    request: Request,
    build: Callable[[ReadTransaction], tuple[bytes, str | None]],
    media_type: str = JSON,
) -> Response:
    """The answer from `build` at the store's revision, unless the client or the cache already has it."""
    # The verdicts on the rows are part of the answer.
    tag = RequestTag(
        request, f"{context.status().started_at}/{context.verdict_cache.generation}/{media_type}"
    )
    data_version = context.rows_reader.data_version()

    def job(transaction: ReadTransaction) -> CachedAnswer | str:
        etag = tag.at(transaction.revision)
        return etag if tag.is_known(etag) else CachedAnswer(etag, *build(transaction))

    answer = context.cache.get(tag.digest, data_version)
    if answer is None:
        made = await context.rows_reader.read(job)
        if isinstance(made, str):
            return Response(None, 304, {**KEPT_HEADERS, "etag": made})
        answer = made
        context.cache.put(tag.digest, data_version, answer)
    headers = {**KEPT_HEADERS, "etag": answer.etag}
    if tag.is_known(answer.etag):
        return Response(None, 304, headers)
    if answer.link:
        headers["link"] = answer.link
    return Response(answer.body, 200, headers, media_type)
