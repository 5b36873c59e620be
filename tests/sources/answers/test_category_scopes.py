"""The scopes for which categories are requested."""

import json

import msgspec
import pytest

from engine.sources.answers.category_scopes import CategoryScopes, scope_of_event


def test_every_known_scope_is_requested_except_refused_ones() -> None:
    scopes = CategoryScopes(["garden", "script"])
    assert list(scopes) == ["automation", "garden", "helpers", "scene", "script"]
    scopes.add({"attic"})
    scopes.refuse("garden")
    assert list(scopes) == ["attic", "automation", "helpers", "scene", "script"]


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"data": {"scope": "garden"}}, ("garden",)),
        ({"data": {"scope": ""}}, ()),
        ({"data": {"scope": 3}}, ()),
        ({"data": {}}, ()),
        ([], ()),
    ],
)
def test_an_event_may_name_a_scope(event: object, found: tuple[str, ...]) -> None:
    assert scope_of_event(msgspec.Raw(json.dumps(event).encode())) == found
