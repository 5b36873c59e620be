"""Events of real cores, in every shape that was seen, and what they hint at."""

import json

import msgspec
import pytest

from engine.core.records.record import Key
from engine.core.state.hints import Hints
from engine.errors import SourceInvalid
from engine.sources.live.events import EVERYTHING, config_entry_hints, event_hints


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def event(event_type: str, **data: object) -> msgspec.Raw:
    # The envelope of 2026.11.0.
    return raw(
        {
            "event_type": event_type,
            "data": data,
            "origin": "LOCAL",
            "time_fired": "2026-11-23T10:54:37.408063+00:00",
            "context": {"id": "01M840", "parent_id": None, "user_id": None},
        }
    )


ENTITY, DEVICE, AREA = "entity_registry_updated", "device_registry_updated", "area_registry_updated"


@pytest.mark.parametrize(
    ("message", "hints"),
    [
        (event(ENTITY, action="create", entity_id="a.b"), Hints(entity_ids=frozenset({"a.b"}))),
        (
            event(ENTITY, action="update", entity_id="a.b", changes={"name": None}),
            Hints(entity_ids=frozenset({"a.b"})),
        ),
        (
            event(ENTITY, action="update", entity_id="a.new", old_entity_id="a.old", changes={}),
            Hints(entity_ids=frozenset({"a.new", "a.old"})),
        ),
        (event(ENTITY, action="remove", entity_id="a.b"), Hints(removed_entity_ids=frozenset({"a.b"}))),
        (event(DEVICE, action="create", device_id="d"), Hints(registries=frozenset({"device"}))),
        (
            event(DEVICE, action="remove", device_id="d", device={"id": "d"}),
            Hints(registries=frozenset({"device"}), removed=frozenset({Key("device", "d")})),
        ),
        (
            event(AREA, action="remove", area_id="kitchen"),
            Hints(registries=frozenset({"area"}), removed=frozenset({Key("area", "kitchen")})),
        ),
        (event(AREA, action="reorder", area_id=None), Hints(registries=frozenset({"area"}))),
        (event("floor_registry_updated", action="reorder"), Hints(registries=frozenset({"floor"}))),
        (
            event("category_registry_updated", action="remove", scope="automation", category_id="c"),
            Hints(registries=frozenset({"category"}), removed=frozenset({Key("category", "automation/c")})),
        ),
        (event("core_config_updated", action="?"), EVERYTHING),
        (event(ENTITY, action="update"), EVERYTHING),
        (event("something_new"), EVERYTHING),
    ],
)
def test_an_event_gives_hints(message: msgspec.Raw, hints: Hints) -> None:
    assert event_hints(message) == hints


def test_config_entries_hint_at_their_registry_and_name_those_removed() -> None:
    assert config_entry_hints(raw([{"type": None, "entry": {"entry_id": "e"}}])) == Hints()
    assert config_entry_hints(raw([{"type": "updated", "entry": {"entry_id": "e"}}])) == Hints(
        registries=frozenset({"config_entry"})
    )
    assert config_entry_hints(raw([{"type": "removed", "entry": {"entry_id": "e"}}])) == Hints(
        registries=frozenset({"config_entry"}), removed=frozenset({Key("config_entry", "e")})
    )


def test_an_odd_id_hints_at_its_registry_or_at_everything() -> None:
    assert event_hints(event("entity_registry_updated", action="update", entity_id=["x"])) == EVERYTHING
    odd = event("device_registry_updated", action="remove", device_id=5)
    assert event_hints(odd) == Hints(registries=frozenset({"device"}))
    assert event_hints(
        event("category_registry_updated", action="remove", scope=1, category_id="c")
    ) == Hints(registries=frozenset({"category"}))
    assert config_entry_hints(raw([{"type": None, "entry": {"entry_id": 5}}])) == Hints()
    assert config_entry_hints(raw([{"type": "removed", "entry": {"entry_id": 5}}])) == Hints(
        registries=frozenset({"config_entry"})
    )


@pytest.mark.parametrize("data", [[], None, "text", 5])
def test_odd_data_hint_at_everything_and_do_not_end_the_following(data: object) -> None:
    assert event_hints(raw({"event_type": "device_registry_updated", "data": data})) == EVERYTHING
    odd_change: list[object] = [data, {"type": data or 5}, {"type": "added", "entry": data}]
    assert config_entry_hints(raw(odd_change)) == Hints(registries=frozenset({"config_entry"}))


@pytest.mark.parametrize("value", [[], {}, "text", {"event_type": 5}])
def test_a_message_that_is_no_event_is_refused(value: object) -> None:
    with pytest.raises(SourceInvalid):
        event_hints(raw(value))
