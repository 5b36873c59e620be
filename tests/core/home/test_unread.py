"""Unread registries: the keys about which nothing is known."""

import pytest

from engine.core.home.unread import Unread
from engine.core.records.record import Key


@pytest.mark.parametrize(
    ("unread", "key", "is_left_out"),
    [
        (Unread(), Key("label", "l"), False),
        (Unread({"label": "why"}), Key("label", "l"), True),
        (Unread({"label": "why"}), Key("area", "a"), False),
        (Unread(scopes=frozenset({"script"})), Key("category", "script/c"), False),
        (Unread(scopes=frozenset({"script"})), Key("category", "mine/c"), True),
        (Unread(scopes=frozenset({"script"})), Key("category", "script/c/d"), False),
        (Unread(scopes=frozenset()), Key("label", "mine/c"), False),
    ],
)
def test_what_a_read_leaves_out(unread: Unread, key: Key, is_left_out: bool) -> None:
    assert unread.leaves_out(key) is is_left_out


def test_what_concerns_some_registries() -> None:
    unread = Unread({"label": "a", "area": "b"}, frozenset({"script"}))
    assert unread.only(frozenset({"area", "device"})) == Unread({"area": "b"}, frozenset({"script"}))
