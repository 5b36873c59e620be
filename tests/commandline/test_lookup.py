"""What a person may type for a record."""

import pytest

from engine.commandline.lookup import KeyUnknown, find_key, named_key
from engine.core.compare.stored import StoredRow
from engine.core.records.record import Key

KITCHEN, LABEL, LIGHT, LAMP, OTHER = (
    Key("area", "kitchen"),
    Key("label", "kitchen"),
    Key("entity", "e1"),
    Key("device", "d1"),
    Key("device", "d2"),
)
CATEGORY = Key("category", "automation/c1")
ROWS = {
    KITCHEN: StoredRow(KITCHEN, {"name": "Kitchen"}),
    LABEL: StoredRow(LABEL, {"name": "Cooking"}),
    LIGHT: StoredRow(LIGHT, {"entity_id": "light.lamp", "original_name": "Light"}),
    LAMP: StoredRow(LAMP, {"name": "Lamp"}),
    OTHER: StoredRow(OTHER, {"name": "Lamp"}),
    CATEGORY: StoredRow(CATEGORY, {"name": "Morning"}),
}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("area/kitchen", KITCHEN),
        ("label/kitchen", LABEL),
        ("light.lamp", LIGHT),
        ("e1", LIGHT),
        ("Kitchen", KITCHEN),
        ("category/automation/c1", CATEGORY),
        ("automation/c1", CATEGORY),
    ],
)
def test_a_record_is_found_by_key_entity_id_id_or_unique_name(text: str, key: Key) -> None:
    assert find_key(text, ROWS) == key


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("kitchen", "Choose one: area/kitchen (Kitchen), label/kitchen (Cooking)."),
        ("Lamp", "Choose one: device/d1 (Lamp), device/d2 (Lamp)."),
        ("light.lmap", "Did you mean entity/e1 (light.lamp)?"),
        ("Mornin", "Did you mean category/automation/c1 (Morning)?"),
        ("area/kit", "Did you mean area/kitchen (Kitchen)?"),
        ("Morn", "Did you mean category/automation/c1 (Morning)?"),
        ("zzzzzzzz", "A KEY is REGISTRY/ID, an entity_id, an id or a name."),
    ],
)
def test_a_name_that_does_not_match_one_record_is_refused_with_candidates(text: str, hint: str) -> None:
    with pytest.raises(KeyUnknown) as refused:
        find_key(text, ROWS)
    assert refused.value.hint == hint


def test_a_key_needs_a_registry_we_know() -> None:
    assert named_key("area/x") == Key("area", "x")
    assert named_key("category/automation/x") == Key("category", "automation/x")
    assert [named_key(text) for text in ("area", "area/", "room/x", "")] == [None] * 4


def test_hostile_names_are_made_harmless() -> None:
    evil = Key("device", "\x1b[2J")
    with pytest.raises(KeyUnknown) as refused:
        find_key("\x1b[2", {evil: StoredRow(evil, {"name": "\u202ex"})})
    assert refused.value.message.isprintable()
    assert refused.value.hint.isprintable()
