"""The page of a device or an entity: its facts, its entities, and all its versions."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from api.page.templates import link
from api.page.views.drift import FieldView
from api.page.views.home_index import EntityLine
from api.page.views.verdict import VerdictView
from api.page.wording import Names, field_text, value_text
from api.ports import PastRevision
from api.registries.bodies.devices_and_entities import DeviceBody, EntityBody, served_fields

VERSIONS_MAX = 100
_FIELDS_MAX = 12
_STAMPS = frozenset({"created_at", "modified_at"})
# Duplicates of other fields, under HomeIQ's names.
_DOUBLED = frozenset({"display_name", "label", "prefix", "state"})
# Fields whose value is the id of a record that has a page.
_LINKED = {
    "via_device": "device",
    "device_id": "device",
    "area_id": "area",
    "floor_id": "floor",
    "config_entry_id": "integration",
}
_OPS = {
    "create": "First seen",
    "update": "Changed",
    "delete": "Gone",
    "refresh": "Confirmed",
    "repair": "Written again",
}
_DEVICE_FACTS = (
    *("manufacturer", "model", "model_id", "integration", "sw_version", "hw_version", "serial_number"),
    *("via_device", "labels", "status", "disabled_by", "entry_type", "configuration_url"),
    *("identifiers", "connections"),
)
_ENTITY_FACTS = (
    *("entity_id", "platform", "device_class", "unit_of_measurement", "name_by_user", "original_name"),
    *("aliases", "labels", "disabled", "disabled_by", "hidden_by", "entity_category", "unique_id", "id"),
)
# Long values that users copy: they get a copy button.
_COPIED = frozenset(
    {"id", "entity_id", "unique_id", "area_id", "floor_id", "label_id", "category_id", "entry_id"}
)


class Fact(msgspec.Struct, frozen=True):
    """One fact; `href` links to details. Ids can be copied."""

    label: str
    value: str
    href: str | None = None
    is_copied: bool = False
    parts: list[tuple[str, str]] = []  # the items of a list: (name, link)


class VersionView(msgspec.Struct, frozen=True):
    """One version: since when, the operation, and the changes against the previous version."""

    at: float  # Unix seconds
    word: str
    fields: list[FieldView]
    rev: int


class RecordView(msgspec.Struct, frozen=True):
    """The page. `is_gone`: the rows no longer have the record."""

    registry: str
    name: str
    facts: list[Fact]
    entities: list[EntityLine] | None
    versions: list[VersionView]
    versions_total: int
    versions_missing: str | None  # why there are none
    is_gone: bool
    versions_forgotten: str = ""
    verdict: VerdictView | None = None  # None: the page shows the past
    inside: dict[str, str] = {}  # the tables of its contents, by name
    home_assistant: str | None = None  # its page in Home Assistant


def device_facts(device: DeviceBody, names: Names) -> list[Fact]:
    """The facts about a device besides its name and area."""
    facts = [_named(fact, names) for fact in _facts(device, _DEVICE_FACTS, names)]
    return [*facts, Fact("id", device.device_id, is_copied=True)]


def entity_facts(entity: EntityBody, names: Names) -> list[Fact]:
    """The facts about an entity besides its name, area and device."""
    return _facts(entity, _ENTITY_FACTS, names)


def _linked(field: str, value: Any, names: Names) -> tuple[str | None, list[tuple[str, str]]]:
    """The link for a value that is another record's id, and one for each label."""
    if field == "labels":
        return None, [(names.get(("label", id_), id_), link("label", id=id_)) for id_ in value]
    page = _LINKED.get(field)
    return (link(page, id=value) if page and isinstance(value, str) else None), []


def plain_facts(fields: Mapping[str, Any], names: Names) -> list[Fact]:
    """The facts about a record of a small registry: all fields but the time of its write."""
    own_id = next((name for name in fields if name in _COPIED), None)
    facts = []
    for name, value in fields.items():
        if value in (None, [], "", {}) or name in _STAMPS | _DOUBLED:
            continue
        is_own = name == own_id
        text = value_text(name, value, {} if is_own else names)
        href, parts = (None, []) if is_own else _linked(name, value, names)
        if text is not None:
            facts.append(Fact(field_text(name), text, href, is_own, parts))
    return facts


def _facts(record: msgspec.Struct, fields: tuple[str, ...], names: Names) -> list[Fact]:
    found = []
    for field in fields:
        value = getattr(record, field)
        text = value_text(field, value, names) if value not in (None, [], "", False) else None
        href, parts = _linked(field, value, names) if text is not None else (None, [])
        if field in ("integration", "platform") and (entry_id := getattr(record, "config_entry_id", None)):
            href = link("integration", id=entry_id)
        if text is not None:
            found.append(Fact(field_text(field), text, href, field in _COPIED, parts))
    return found


def _named(fact: Fact, names: Names) -> Fact:
    name = names.get(("device", fact.value)) if fact.label == field_text("via_device") else None
    return msgspec.structs.replace(fact, value=name) if name else fact


def version_views(
    revisions: Sequence[PastRevision], names: Names, *, is_all_known: bool = True
) -> list[VersionView]:
    """The versions, newest first; changes are against the previous version, even if that is not shown.

    Unless `is_all_known`, earlier versions may have been forgotten, all of a record's too.
    """
    before: list[Mapping[str, Any]] = [{}, *(_served(r) for r in revisions)]
    views = [
        VersionView(r.at, _word(r, is_all_known=is_all_known), _changed(r, old, new, names), r.rev)
        for r, (old, new) in zip(revisions, pairwise(before), strict=True)
    ]
    return views[::-1][:VERSIONS_MAX]


def _word(revision: PastRevision, *, is_all_known: bool) -> str:
    if revision.op == "create" and revision.rev > 1:
        return "Seen again"
    if revision.op == "create" and not is_all_known:
        return "Appeared"
    return _OPS.get(revision.op, revision.op)


def _served(revision: PastRevision) -> Mapping[str, Any]:
    return served_fields(revision.fields) or {}


def _changed(
    revision: PastRevision, old: Mapping[str, Any], new: Mapping[str, Any], names: Names
) -> list[FieldView]:
    # A first version contains the whole record and a last one nothing, so the verb is enough.
    if not old or not revision.fields:
        return []
    return [
        FieldView(
            field_text(name),
            value_text(name, new.get(name), names),
            value_text(name, old.get(name), names),
            True,
        )
        for name in dict.fromkeys([*new, *old])
        if new.get(name) != old.get(name) and name not in _STAMPS
    ][:_FIELDS_MAX]
