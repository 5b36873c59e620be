"""Counts of a registry's rows by their values, which a table offers as filters."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.http.problems import Problem
from api.http.queries import RegistryName, StateName, Text
from api.http.routing import route
from api.ports import ReadTransaction
from api.registries.bodies.places import places_now
from api.registries.lists import answer_kept, filters_of
from api.registries.selection import NAMED, Selection, check_named, count_states, filters_for
from engine.core.state.record_verdict import Verdicts

VALUES_MAX = 1000
# The facets by registry; each is also a filter of the registry's list.
FACETS: dict[str, tuple[str, ...]] = {
    "device": (
        *("area_id", "floor_id", "label", "integration", "manufacturer", "model", "sw_version", "disabled"),
    ),
    "entity": (
        *("area_id", "floor_id", "label", "platform", "domain", "manufacturer", "model", "sw_version"),
        "disabled",
    ),
    "area": ("floor_id", "label"),
    "floor": (),
    "label": (),
    "category": ("scope",),
    "config_entry": ("domain", "source", "disabled"),
}
FacetName = Literal[
    "area_id",
    "floor_id",
    "label",
    "integration",
    "platform",
    "domain",
    "manufacturer",
    "model",
    "sw_version",
    "scope",
    "source",
    "disabled",
    "state",
]


class FacetsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows to count, and the facets."""

    registry: Annotated[RegistryName, Meta(description="the registry whose rows are counted")] = "device"
    facet: Annotated[
        tuple[FacetName, ...], Meta(max_length=20, description="only by these; absent: by all")
    ] = ()
    q: Annotated[Text, Meta(description="only rows that a search for this finds")] = ""
    state: Annotated[StateName, Meta(description="only rows with this verdict")] | UnsetType = UNSET
    area_id: Annotated[Text, Meta(description="only rows in this area; -: in none")] | UnsetType = UNSET
    floor_id: Annotated[Text, Meta(description="only rows on this floor; -: on none")] | UnsetType = UNSET
    integration: Annotated[Text, Meta(description="only devices of this integration")] | UnsetType = UNSET
    platform: Annotated[Text, Meta(description="only entities of this integration")] | UnsetType = UNSET
    manufacturer: Annotated[Text, Meta(description="only of this manufacturer")] | UnsetType = UNSET
    model: Annotated[Text, Meta(description="only of this model")] | UnsetType = UNSET
    sw_version: Annotated[Text, Meta(description="only with this firmware")] | UnsetType = UNSET
    label: Annotated[Text, Meta(description="only rows that have this label")] | UnsetType = UNSET
    domain: Annotated[Text, Meta(description="only of this domain")] | UnsetType = UNSET
    disabled: Annotated[bool, Meta(description="only rows that are disabled, or are not")] | UnsetType = UNSET


class FacetValue(msgspec.Struct, frozen=True):
    """One value, its name, and the number of rows with it. `-`: rows without a value."""

    value: str
    name: str | None
    count: int


class Facets(msgspec.Struct, frozen=True):
    """The counts, the most frequent value first; `state` counts verdicts."""

    registry: str
    total: int
    facets: dict[str, list[FacetValue]]


def facets_of(
    transaction: ReadTransaction,
    registry: str,
    verdicts: Verdicts,
    selection: Selection,
    names: tuple[str, ...],
) -> Facets:
    """The counts of the requested rows. Call it in a job."""
    filters = filters_for(transaction, registry, verdicts, selection)
    total = transaction.count(registry, filters)
    if total == 0:
        check_named(transaction, registry, selection.filters)
    called = _names(transaction)
    counted = transaction.facets(registry, [name for name in names if name != "state"], filters)
    found = {
        name: [
            FacetValue(value, called.get((NAMED.get(name, ""), value)), count)
            for value, count in counts[:VALUES_MAX]
        ]
        for name, counts in counted.items()
    }
    if "state" in names:
        found["state"] = [
            FacetValue(state, None, count)
            for state, count in count_states(transaction, registry, verdicts, filters)
        ]
    return Facets(registry, total, found)


def _names(transaction: ReadTransaction) -> dict[tuple[str, str | None], str | None]:
    places = places_now(transaction)
    names: dict[tuple[str, str | None], str | None] = {
        ("area", id_): place.area_name for id_, place in places.items()
    }
    for registry in ("floor", "label"):
        names |= {
            (registry, id_): name for id_, name in transaction.page(registry, ("name",), [], "", 1_000_000)
        }
    return names


@route("/api/facets", Facets, statuses=(304, 404, 503))
async def get_facets(context: AppContext, request: Request, query: FacetsQuery) -> Response:
    """The numbers of a registry's rows by value, to filter by. Facets that the registry does not have are refused."""
    known = (*FACETS.get(query.registry, ()), "state")
    names = tuple(dict.fromkeys(query.facet or known))
    filters = tuple(filters_of(query))
    check_filters([*names, *(name for name, _ in filters)], known, query.registry)
    selection = Selection(filters, query.q, "" if query.state is UNSET else query.state)
    verdicts = context.verdicts()

    def build(transaction: ReadTransaction) -> tuple[bytes, None]:
        return msgspec.json.encode(facets_of(transaction, query.registry, verdicts, selection, names)), None

    return await answer_kept(context, request, build)


def check_filters(names: Sequence[str], known: Sequence[str], registry: str) -> None:
    """Raises Problem 404 for a filter that the registry does not have: it would be ignored, or find nothing."""
    if unknown := [name for name in dict.fromkeys(names) if name not in known]:
        raise Problem(
            404,
            f"Rows of the {registry} registry have no {' and no '.join(unknown)}."
            f" Known here: {', '.join(known)}.",
        )
