"""One word for a home, and which homes are worse."""

from api.sites.ports import Stage
from api.sites.words import severity, site_word
from tests.homes import NOON
from tests.sites.homes import away, kept


def test_a_home_that_is_not_kept_is_unknown() -> None:
    assert site_word(away("a", Stage.FAILED, "x"), NOON) == "unknown"
    assert site_word(kept("a", "blocked"), NOON) == "blocked"


def test_a_home_that_needs_a_person_is_worst() -> None:
    views = [
        kept("e"),
        kept("d", "out_of_sync"),
        kept("c", "blocked"),
        away("b", Stage.INVALID, "x"),
        away("a", Stage.PAUSED, "x"),
    ]
    assert [v.name for v in sorted(views, key=lambda view: severity(view, NOON))] == ["b", "c", "d", "a", "e"]
