"""What Home Assistant's registry events hint at. Pure: an event's JSON in, hints out.

An event has an action and an id, on update also old values, but never the new row; so it only shows where to
look. An entity's event has its entity_id, a rename both the old and the new one. Reordering areas or floors changes
only the list, no row. An event that cannot be parsed triggers a full read: it may concern anything.
"""

import msgspec

from engine.core.records.record import Json, Key
from engine.core.records.registries import BY_NAME
from engine.core.state.hints import Hints
from engine.errors import SourceInvalid
from engine.sources.json_text import decode_json

# Event types to subscribe to, and the registry each is about. On 2024.3 to 2024.7 only administrators may
# subscribe to floors, labels and categories; for other users they are listed with each heartbeat.
REGISTRY_EVENTS = {registry.event: registry.name for registry in reversed(BY_NAME.values()) if registry.event}
# Fired when Home Assistant starts and has started; shows a non-administrator its change of state.
CORE_EVENT = "core_config_updated"
CONFIG_ENTRIES_COMMAND = "config_entries/subscribe"

EVERYTHING = Hints(relist=True)


# The fields of an event that identify its row. Of any type, because an odd row has an odd event, which must not stop
# us from following the others.
_NAMES = ("action", "old_entity_id", *(name for registry in BY_NAME.values() for name in registry.event_key))
_Data = msgspec.defstruct("_Data", [(name, Json, None) for name in dict.fromkeys(_NAMES)])


class _Event(msgspec.Struct):
    event_type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Entry(msgspec.Struct):
    entry_id: Json = None


class _EntryChange(msgspec.Struct):
    type: Json = None
    entry: _Entry = msgspec.field(default_factory=_Entry)


_EVENT = msgspec.json.Decoder(_Event)
_DATA = msgspec.json.Decoder(_Data)
_ENTRY_CHANGES = msgspec.json.Decoder(list[msgspec.Raw])
_ENTRY_CHANGE = msgspec.json.Decoder(_EntryChange)
# Stands for a change that cannot be parsed: something changed.
_ANY_CHANGE = _EntryChange("odd")


def event_hints(event: msgspec.Raw) -> Hints:
    """The hints of one bus event. Raises SourceInvalid when it is not an event."""
    decoded = decode_json(_EVENT, event, "An event")
    registry = REGISTRY_EVENTS.get(decoded.event_type)
    try:
        data: Json = decode_json(_DATA, decoded.data, "The data of an event")
    except SourceInvalid:
        registry = None
    if registry is None:
        return EVERYTHING
    if registry == "entity":
        return _entity_hints(data)
    removed = _key(registry, data) if data.action == "remove" else None
    return Hints(
        registries=frozenset({registry}), removed=frozenset({removed}) if removed is not None else frozenset()
    )


def config_entry_hints(event: msgspec.Raw) -> Hints:
    """The hints of one `config_entries/subscribe` event; the first one lists the existing entries and yields no hint.

    Raises SourceInvalid when it is not a list.
    """
    rows = decode_json(_ENTRY_CHANGES, event, "A config entry event")
    changes = [change for change in map(_entry_change, rows) if change.type is not None]
    ids = [c.entry.entry_id for c in changes if c.type == "removed"]
    removed = frozenset(Key("config_entry", id_) for id_ in ids if isinstance(id_, str))
    return Hints(registries=frozenset({"config_entry"}), removed=removed) if changes else Hints()


def _entry_change(row: msgspec.Raw) -> _EntryChange:
    try:
        return decode_json(_ENTRY_CHANGE, row, "A config entry's change")
    except SourceInvalid:
        return _ANY_CHANGE


def _entity_hints(data: Json) -> Hints:
    if not isinstance(data.entity_id, str):
        return EVERYTHING
    if data.action == "remove":
        return Hints(removed_entity_ids=frozenset({data.entity_id}))
    # Another entity may have the old one by now, or we know this entity only by the old one.
    old = data.old_entity_id if isinstance(data.old_entity_id, str) else ""
    return Hints(entity_ids=frozenset({data.entity_id, old or data.entity_id}))


def _key(registry: str, data: Json) -> Key | None:
    parts = [getattr(data, name) for name in BY_NAME[registry].event_key]
    return Key(registry, "/".join(parts)) if all(isinstance(part, str) and part for part in parts) else None
