"""Devices and entities as tables: sortable columns, facets with counts to filter by, a search, and further pages."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.http.queries import StateName, Text
from api.page.templates import link
from api.page.views.home_index import HomeIndex
from api.page.views.verdict import Badge, badge
from api.page.wording import field_text, registry_text
from api.ports import Filter, ReadTransaction
from api.registries.facets import FACETS, check_filters, facets_of
from api.registries.forms import check_sortable
from api.registries.selection import NAMED, Selection, filters_for
from engine.core.records.record import Key
from engine.core.state.record_states import LABELS, State
from engine.core.state.record_verdict import Verdicts

PAGE_SIZE = 100
_CHOICES_MAX = 200
_NO_FILTERS = ("q", "state", "sort", "page")
EXPORT_MAX = 10_000  # rows of one answer of the API
_TITLES = {"state": "verdict", "domain": "domain", "platform": "integration", "disabled": "disabled"}
# (title, column to sort by) of each column of a table.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "device": (
        ("Name", "effective_name"),
        ("Verdict", ""),
        ("Area", "effective_area_id"),
        ("Manufacturer", "manufacturer"),
        ("Model", "model"),
        ("Firmware", "sw_version"),
        ("Integration", "integration"),
        ("Entities", "entity_count"),
    ),
    "entity": (
        ("Name", "effective_name"),
        ("Entity id", "entity_id"),
        ("Verdict", ""),
        ("Device", "device_id"),
        ("Area", "effective_area_id"),
        ("Integration", "platform"),
    ),
}
_READ = {
    "device": (
        *("effective_name", "name", "effective_area_id", "area_id", "manufacturer", "model", "sw_version"),
        *("integration", "entity_count", "disabled"),
    ),
    "entity": (
        *("effective_name", "original_name", "id", "device_id", "effective_area_id", "area_id", "platform"),
        "disabled",
    ),
}


class TableQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filters, the order and the page. An empty text, as forms send it, is not a filter."""

    q: Text = ""
    state: Literal[""] | StateName = ""
    area_id: Text = ""
    floor_id: Text = ""
    label: Text = ""
    integration: Text = ""
    platform: Text = ""
    domain: Text = ""
    manufacturer: Text = ""
    model: Text = ""
    sw_version: Text = ""
    disabled: Literal["", "true", "false"] = ""
    sort: Text = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Cell(msgspec.Struct, frozen=True):
    """The content of a cell; `badge` instead of text for a verdict."""

    title: str
    text: str = ""
    href: str | None = None
    badge: Badge | None = None
    tag: str = ""


class Head(msgspec.Struct, frozen=True):
    """A column's title; `order` is ascending, descending or none, `href` sorts by it."""

    title: str
    href: str | None
    order: str


class FacetOption(msgspec.Struct, frozen=True):
    """One value of a facet."""

    value: str
    label: str
    count: int


class FacetView(msgspec.Struct, frozen=True):
    """One facet: values to filter rows by."""

    name: str
    title: str
    chosen: str
    options: list[FacetOption]


class TableView(msgspec.Struct, frozen=True):
    """One page of a table; `exports` are the addresses of the same rows as CSV and JSON."""

    path: str
    title: str
    heads: list[Head]
    rows: list[list[Cell]]
    facets: list[FacetView]
    asked: dict[str, object]
    found: int
    total: int
    page: int
    pages: int
    exports: dict[str, str]
    exported: int  # the number of exported rows


def table_view(
    transaction: ReadTransaction, index: HomeIndex, verdicts: Verdicts, registry: str, query: TableQuery
) -> TableView:
    """The page for a query. Call it in a job."""
    names = FACETS[registry]
    asked = {name: getattr(query, name) for name in query.__struct_fields__ if getattr(query, name)}
    check_filters([name for name in asked if name not in _NO_FILTERS], names, registry)
    filters: tuple[Filter, ...] = tuple(
        (name, value == "true" if name == "disabled" else value)
        for name, value in asked.items()
        if name not in _NO_FILTERS
    )
    sortable = [column for _, column in COLUMNS[registry] if column]
    sort = query.sort or "effective_name"
    check_sortable(sort, sortable)
    selection = Selection(filters, query.q, query.state)
    conditions = filters_for(transaction, registry, verdicts, selection)
    keys = transaction.keys(registry, conditions, sort)
    pages = max(1, -(-len(keys) // PAGE_SIZE))
    page = min(query.page, pages)
    shown = transaction.keyed(registry, _READ[registry], keys[(page - 1) * PAGE_SIZE : page * PAGE_SIZE])
    make = _device_cells if registry == "device" else _entity_cells
    path = f"{registry_text(registry)}s".replace("ys", "ies")
    kept = {name: value for name, value in asked.items() if name != "page"}
    return TableView(
        path=path,
        title=path.capitalize(),
        heads=_heads(registry, path, kept, sort),
        rows=[make(row, index, verdicts) for row in shown],
        facets=_facets(transaction, registry, verdicts, selection, asked),
        asked=kept,
        found=len(keys),
        total=transaction.count(registry, ()),
        page=page,
        pages=pages,
        exports=_exports(path, kept, sort),
        exported=min(len(keys), EXPORT_MAX),
    )


def _exports(path: str, kept: dict[str, object], sort: str) -> dict[str, str]:
    asked = {name: value for name, value in kept.items() if name != "sort"} | {
        "sort": sort,
        "limit": EXPORT_MAX,
    }
    return {form.upper(): link(f"api/{path}", "", **asked, format=form) for form in ("csv", "json")}


def _heads(registry: str, path: str, kept: dict[str, object], sort: str) -> list[Head]:
    heads = []
    for title, column in COLUMNS[registry]:
        is_up, is_down = sort == column, sort == f"-{column}"
        href = link(path, "", **{**kept, "sort": f"-{column}" if is_up else column}) if column else None
        heads.append(Head(title, href, "ascending" if is_up else "descending" if is_down else "none"))
    return heads


def _facets(
    transaction: ReadTransaction,
    registry: str,
    verdicts: Verdicts,
    selection: Selection,
    asked: dict[str, object],
) -> list[FacetView]:
    names = ("state", *FACETS[registry])
    found = facets_of(transaction, registry, verdicts, selection, names).facets
    views = []
    for name in names:
        chosen = str(asked.get(name, ""))
        options = [
            FacetOption(each.value, _label(name, each.value, each.name), each.count)
            for each in found[name][:_CHOICES_MAX]
        ]
        if chosen and chosen not in (option.value for option in options):
            options.append(FacetOption(chosen, chosen, 0))
        title = _TITLES.get(name) or NAMED.get(name) or field_text(name)
        views.append(FacetView(name, title.capitalize(), chosen, options))
    return views


def _label(name: str, value: str, called: str | None) -> str:
    if name == "state":
        return LABELS[State(value)]
    if name == "disabled":
        return "yes" if value == "true" else "no"
    is_none = value == "-" or (
        name in ("manufacturer", "model") and value == "Unknown"
    )  # its name in HomeIQ's API
    return called or ("none" if is_none else value)


def _area_cell(area_id: str | None, index: HomeIndex) -> Cell:
    if not area_id:
        return Cell("Area")
    return Cell("Area", index.areas.get(area_id, area_id), link("area", id=area_id))


def _device_cells(row: Sequence[object], index: HomeIndex, verdicts: Verdicts) -> list[Cell]:
    id_, shown, name, effective, own, manufacturer, model, firmware, integration, count, disabled = row
    return [
        Cell("Name", str(shown or name or id_), link("device", id=id_), tag="disabled" if disabled else ""),
        Cell("Verdict", badge=badge(verdicts.of(Key("device", str(id_))))),
        _area_cell(str(effective or own or ""), index),
        Cell("Manufacturer", str(manufacturer or "")),
        Cell("Model", str(model or "")),
        Cell("Firmware", str(firmware or "")),
        Cell("Integration", str(integration or "")),
        Cell("Entities", f"{count or 0:,}", link("entities", q=id_)),
    ]


def _entity_cells(row: Sequence[object], index: HomeIndex, verdicts: Verdicts) -> list[Cell]:
    entity_id, shown, original, id_, device_id, effective, own, platform, disabled = row
    device = index.names.get(("device", str(device_id)), str(device_id)) if device_id else ""
    key = Key("entity", str(id_ or entity_id))
    href = link("entity", id=entity_id)
    return [
        Cell("Name", str(shown or original or entity_id), href, tag="disabled" if disabled else ""),
        Cell("Entity id", str(entity_id)),
        Cell("Verdict", badge=badge(verdicts.of(key, entity_id=str(entity_id)))),
        Cell("Device", device, link("device", id=device_id) if device_id else None),
        _area_cell(str(effective or own or ""), index),
        Cell("Integration", str(platform or "")),
    ]
