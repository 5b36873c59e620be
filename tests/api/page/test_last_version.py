"""What is shown of a record that has no row."""

from typing import Any

import pytest

from api.page.last_version import last_facts, last_name
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from tests.homes import NOON


def revisions(key: Key, fields: dict[str, Any]) -> list[Revision]:
    return [
        Revision(key, NOON, "create", 1, "h", "r", fields),
        Revision(key, NOON + 1, "delete", 2, "-", "r", {}),
    ]


@pytest.mark.parametrize(
    ("registry", "fields", "label", "name"),
    [
        ("device", {"id": "x", "name": "Lamp", "model": "L1"}, "model", "Lamp"),
        (
            "entity",
            {"id": "x", "entity_id": "light.x", "platform": "demo", "unique_id": "u"},
            "platform",
            None,
        ),
        ("floor", {"floor_id": "x", "name": "Attic", "level": 2}, "level", "Attic"),
    ],
)
def test_the_last_version_describes_the_deleted_record(
    registry: str, fields: dict[str, Any], label: str, name: str | None
) -> None:
    key = Key(registry, "x")
    assert label in [fact.label for fact in last_facts(key, revisions(key, fields), {})]
    assert last_name(revisions(key, fields)) == name


def test_missing_and_unreadable_versions_yield_no_facts() -> None:
    key = Key("device", "x")
    assert last_facts(key, [], {}) == []
    assert last_facts(key, revisions(key, {"name": "no id"}), {}) == []
    assert last_name([]) is None
