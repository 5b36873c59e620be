"""A difference in words."""

import pytest

from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Action
from engine.core.state.advice import WHOSE_CHANGE
from engine.core.state.difference_words import done_word, further_reasons, outcome_text, which_side
from tests.commandline.reports import changed, removed


@pytest.mark.parametrize(
    ("action", "outcome", "text"),
    [
        (Action.UPSERT, "planned", "will be written with the next pass"),
        (Action.MOVE, "observed", 'not moved: only observing; set plan.mode = "enforce" to have it moved'),
        (Action.DELETE, "failed", "could not be deleted; it is tried again"),
        (Action.DELETE, "held", "held back by a guard"),
        (
            Action.DELETE,
            "waiting",
            "will be deleted when a second look confirms that it is gone (plan.delete_confirm_seconds)",
        ),
        (
            Action.UPSERT,
            "waiting",
            "will be written when a second look confirms a delete that it depends on (plan.delete_confirm_seconds)",
        ),
        (None, "something new", "something new"),
    ],
)
def test_each_outcome_is_described(action: Action | None, outcome: str, text: str) -> None:
    assert outcome_text(changed("Lamp", action=action, outcome=outcome)) == text


def test_a_delete_in_a_backup_waits_for_a_newer_one() -> None:
    waiting = removed("Lamp", outcome="waiting", waits_for_backup=True)
    assert "will be deleted when a newer backup confirms that it is gone" in outcome_text(waiting)
    moved = changed("Lamp", outcome="waiting", waits_for_backup=True)
    assert "when a newer backup confirms a delete that it depends on" in outcome_text(moved)


def test_whose_change_it_was_is_reported_once() -> None:
    whose = WHOSE_CHANGE[Cause.DRIFT]
    assert further_reasons(changed("Lamp", cause=Cause.DRIFT, why=(whose, "and more"))) == ["and more"]
    assert done_word(removed("Lamp")) == "deleted"


@pytest.mark.parametrize(
    ("cause", "kind", "text"),
    [
        (Cause.FOREIGN, Kind.ORPHANED, "Only rows has it"),
        (
            Cause.CONFLICT,
            Kind.STALE,
            "It was changed in rows and in Home Assistant; Home Assistant wins",
        ),
        (Cause.DRIFT, Kind.MISSING, "Another program deleted it from rows"),
        (Cause.DRIFT, Kind.STALE, "Another program changed it in rows"),
        (Cause.PENDING, Kind.ORPHANED, "Home Assistant does not list it, rows has it"),
        (Cause.PENDING, Kind.MISSING, "Home Assistant has it, rows does not yet"),
        (Cause.PENDING, Kind.STALE, "Home Assistant changed it, rows does not hold the change yet"),
    ],
)
def test_which_side_changed(cause: Cause, kind: Kind, text: str) -> None:
    assert which_side(changed("Lamp", cause=cause, kind=kind, replica="rows")) == text
