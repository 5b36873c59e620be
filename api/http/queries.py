"""Query strings: one struct per kind of route, and its parser.

Unknown or repeated parameters and values out of range are refused by name.
"""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.http.problems import Problem
from engine.core.expected import in_words
from engine.core.records.registries import REGISTRIES

Q = TypeVar("Q", bound=msgspec.Struct)

if TYPE_CHECKING:
    RegistryName = str
else:
    RegistryName = Literal[tuple(sorted(REGISTRIES))]
SEQ_MAX = 2**53 - 1  # the largest exact integer in JavaScript

# Stores count nanoseconds in 64 bits, up to 2262.
AT_MIN, AT_MAX = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)

Text = Annotated[str, Meta(max_length=255)]
After = Annotated[
    str, Meta(max_length=1024, description="the page begins after this key: `next` of the previous page")
]
Limit100 = Annotated[int, Meta(ge=1, le=1000, description="maximum number of rows in this page")]
Limit10000 = Annotated[int, Meta(ge=1, le=10_000, description="maximum number of rows in this page")]
At = Annotated[
    datetime,
    Meta(
        tz=True,
        description="the home as it was at this time (RFC 3339 with a time zone), from the records replica; "
        "from 1970 to 2261. 404 for a time before the first version, and for one of which nothing is known yet",
        extra_json_schema={"pattern": "^(19[789]|2[01][0-9]|22[0-5])[0-9]-"},
    ),
]
Area = Annotated[Text, Meta(description="effectively in this area: its own, or inherited from its device")]
Floor = Annotated[Text, Meta(description="effectively on this floor; -: on none")]
KindName = Literal["missing", "stale", "orphaned"]  # those of engine.core.compare.diff.Kind
StateName = Literal["foreign", "drifted", "missing", "gone", "pending", "set_aside", "unknown", "real"]
Disabled = Annotated[bool, Meta(description="is disabled, or is not")]
Label = Annotated[Text, Meta(description="has this label")]


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes no parameters."""


class AtQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record, now or in the past."""

    at: At | UnsetType = UNSET


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The query parameters of every list of a registry."""

    q: Annotated[
        Text,
        Meta(
            description="all of these words are in a name (also an earlier one), an id or a model, in any case"
        ),
    ] = ""
    state: (
        Annotated[StateName, Meta(description="the verdict: `sync.state` is this; none with `at`")]
        | UnsetType
    ) = UNSET
    sort: Text | UnsetType = UNSET
    fields: Text | UnsetType = UNSET
    format: (
        Annotated[Literal["json", "csv"], Meta(description="csv: the rows as CSV, like `Accept: text/csv`")]
        | UnsetType
    ) = UNSET


class PageQuery(ListQuery, frozen=True, kw_only=True):
    """A page of a small registry."""

    limit: Limit100 = 1000
    after: After = ""
    at: At | UnsetType = UNSET


class AreasQuery(PageQuery, frozen=True, kw_only=True):
    """A page of areas."""

    floor_id: Annotated[Text, Meta(description="on this floor; -: on none")] | UnsetType = UNSET
    label: Label | UnsetType = UNSET


class CategoriesQuery(PageQuery, frozen=True, kw_only=True):
    """A page of categories."""

    scope: Annotated[Text, Meta(description="of this scope")] | UnsetType = UNSET


class IntegrationsQuery(ListQuery, frozen=True, kw_only=True):
    """A page of integrations."""

    limit: Limit100 = 100
    after: After = ""
    domain: Annotated[Text, Meta(description="of this integration")] | UnsetType = UNSET
    source: Annotated[Text, Meta(description="set up in this way")] | UnsetType = UNSET
    disabled: Disabled | UnsetType = UNSET
    at: At | UnsetType = UNSET


class DevicesQuery(ListQuery, frozen=True, kw_only=True):
    """A page of devices; all filters must hold."""

    limit: Limit10000 = 100
    after: After = ""
    manufacturer: Annotated[Text, Meta(description="in any case; Unknown: has none")] | UnsetType = UNSET
    model: Annotated[Text, Meta(description="in any case; Unknown: has none")] | UnsetType = UNSET
    area_id: Area | UnsetType = UNSET
    platform: Annotated[Text, Meta(description="has an entity of this platform, in any case")] | UnsetType = (
        UNSET
    )
    label: Label | UnsetType = UNSET
    floor_id: Floor | UnsetType = UNSET
    integration: Annotated[Text, Meta(description="of this integration; -: of none")] | UnsetType = UNSET
    sw_version: Annotated[Text, Meta(description="with this firmware; -: with none")] | UnsetType = UNSET
    disabled: Disabled | UnsetType = UNSET
    at: At | UnsetType = UNSET


class AreaEntitiesQuery(ListQuery, frozen=True, kw_only=True):
    """A page of the entities of one area; all filters must hold."""

    limit: Limit10000 = 100
    after: After = ""
    domain: (
        Annotated[Text, Meta(description="the part of entity_id before the dot, in any case")] | UnsetType
    ) = UNSET
    platform: Annotated[Text, Meta(description="in any case; unknown: has none")] | UnsetType = UNSET
    device_id: Annotated[Text, Meta(description="belongs to this device, in any case")] | UnsetType = UNSET
    label: Annotated[tuple[Text, ...], Meta(max_length=20, description="has all of these labels")] = ()
    alias: (
        Annotated[Text, Meta(description="has an alias that contains this, in any case (of ASCII)")]
        | UnsetType
    ) = UNSET
    has_aliases: Annotated[bool, Meta(description="has an alias, or has none")] | UnsetType = UNSET
    floor_id: Floor | UnsetType = UNSET
    manufacturer: Annotated[Text, Meta(description="its device is of this manufacturer")] | UnsetType = UNSET
    model: Annotated[Text, Meta(description="its device is of this model")] | UnsetType = UNSET
    sw_version: Annotated[Text, Meta(description="its device has this firmware")] | UnsetType = UNSET
    disabled: Disabled | UnsetType = UNSET
    at: At | UnsetType = UNSET


class EntitiesQuery(AreaEntitiesQuery, frozen=True, kw_only=True):
    """A page of entities; all filters must hold."""

    area_id: Area | UnsetType = UNSET


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a record's revisions, oldest first."""

    limit: Limit100 = 100
    after: Annotated[int, Meta(ge=0, le=SEQ_MAX, description="the page begins after this revision")] = 0


class DriftQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the records that differ."""

    limit: Limit100 = 100
    after: After = ""
    replica: (
        Annotated[Text, Meta(description="of this store: sqlite, history, influxdb or kafka")] | UnsetType
    ) = UNSET
    registry: Annotated[RegistryName, Meta(description="of this registry only")] | UnsetType = UNSET
    kind: Annotated[KindName, Meta(description="how it looks from the store")] | UnsetType = UNSET


class RunsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of writing passes, newest first."""

    limit: Limit100 = 100
    before: (
        Annotated[Text, Meta(description="only run ids lower than this: `next` of the previous page")]
        | UnsetType
    ) = UNSET


class ChangesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the change feed, oldest first."""

    after: (
        Annotated[
            int, Meta(ge=0, le=SEQ_MAX, description="only changes after this number; absent: all available")
        ]
        | UnsetType
    ) = UNSET
    limit: Limit100 = 100
    registry: Annotated[RegistryName, Meta(description="of this registry only")] | UnsetType = UNSET
    wait: Annotated[
        float, Meta(ge=0, le=30, description="seconds to wait for a change while there is none")
    ] = 0.0


class StreamQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filter of a change stream."""

    registry: Annotated[RegistryName, Meta(description="of this registry only")] | UnsetType = UNSET


def parse_query(query_string: bytes, type_: type[Q]) -> Q:
    """The query of a request as `type_`. Raises Problem 400 that names the fault."""
    if not query_string:
        return type_()
    context: dict[str, list[str]] = {}
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        context.setdefault(name, []).append(value)
    fields, repeatable = _parameters(type_)
    unknown = sorted(context.keys() - fields)
    if unknown:
        raise Problem(
            400,
            f"Unknown query parameter: {_listed(unknown)}. Known here: {', '.join(sorted(fields)) or 'none'}.",
        )
    repeated = sorted(name for name, values in context.items() if len(values) > 1 and name not in repeatable)
    if repeated:
        raise Problem(400, f"Query parameter given more than once: {_listed(repeated)}.")
    values = {name: found if name in repeatable else found[0] for name, found in context.items()}
    try:
        query = msgspec.convert(values, type_, strict=False)
    except msgspec.ValidationError as error:
        # "Expected `int` >= 1 - at `$.limit`": the path begins with the parameter's name.
        what, _, where = str(error).partition(" - at `$.")
        place = f" - at `{where}" if where else ""
        raise Problem(400, f"Query parameter refused: {in_words(what)}{place}.") from error
    if isinstance(at := getattr(query, "at", None), datetime):
        check_at(at)
    return query


def check_at(at: datetime) -> None:
    """Raises Problem 400 when no store can hold data of that time."""
    if not AT_MIN <= at < AT_MAX:
        raise Problem(
            400,
            f"Query parameter refused: nothing can be known of {at.isoformat()} - at `at`. Ask for 1970 to 2261, in UTC.",
        )


@cache  # inspecting the type costs more than parsing the query
def _parameters(type_: type[msgspec.Struct]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of all parameters, and of those that may be repeated."""
    fields = msgspec.structs.fields(type_)
    return frozenset(f.name for f in fields), frozenset(f.name for f in fields if f.default == ())


def _listed(names: list[str]) -> str:
    return ", ".join(name[:64] for name in names[:10]) or "none"
