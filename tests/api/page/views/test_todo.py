"""What to do, in the order of urgency, each with a command and its paragraph."""

from typing import Any

from msgspec.structs import replace

from api.page.views.todo import TodoView, todo_views
from engine.core.state.advice import OBSERVED_ONLY
from engine.core.state.record_verdict import Verdicts
from engine.core.state.status import SourceStatus, Status, status_word
from engine.core.words import GuardName
from tests.api.serving import FRESHNESS, status_of
from tests.commandline.reports import changed, foreign, refusal, removed, replica, report
from tests.homes import NOON


def todos(status: Status) -> list[TodoView]:
    word = status_word(status, NOON, FRESHNESS)
    return todo_views(status, Verdicts(status, NOON, FRESHNESS), word)


def given(*records: Any, **changes: Any) -> Status:
    reported = report(*records, replicas=(replica(status="out_of_sync"),))
    return status_of(reported, **changes)


def test_in_sync_there_is_nothing_to_do() -> None:
    assert todos(status_of(report())) == []


def test_each_kind_of_difference_is_one_thing_with_its_count() -> None:
    found = todos(given(foreign("A"), foreign("B"), removed("C", outcome="waiting")))
    assert [(t.id, t.title) for t in found] == [
        ("todo-gone", "Gone: 1 record"),
        ("todo-foreign", "Foreign: 2 records"),
    ]
    assert [t.href for t in found] == ["drift?state=gone", "drift?state=foreign"]


def test_observe_mode_is_shown() -> None:
    reported = report(
        removed("C", outcome="observed"), replicas=(replica(status="out_of_sync"),), mode="observe"
    )
    (gone,) = todos(status_of(reported))
    assert gone.sentences[0].endswith(OBSERVED_ONLY)
    assert "next pass" not in gone.sentences[0]
    assert gone.command is None


def test_a_second_read_is_not_advised_for_deletes_that_a_guard_holds() -> None:
    held = [removed(name, outcome="held") for name in ("A", "B")]
    stores = (replica(status="blocked", refusals=(refusal(),)),)
    _, gone = todos(status_of(report(*held, replicas=stores)))
    assert (gone.title, gone.command) == ("Gone: 2 records", None)
    assert "A guard holds" in gone.sentences[0]
    _, gone = todos(status_of(report(*held, removed("C", outcome="waiting"), replicas=stores)))
    assert gone.command == "reconcile --confirm-deletes"


def test_what_a_guard_holds_is_not_announced_for_the_next_pass() -> None:
    stores = (replica(status="blocked", refusals=(refusal(),)),)
    _, pending = todos(status_of(report(changed("Lamp", outcome="held"), replicas=stores)))
    assert (pending.title, pending.command) == ("Pending: 1 record", None)
    assert pending.sentences[0].endswith("A guard holds back all these changes; see above how to allow them.")


def test_what_depends_on_a_delete_that_waits_is_not_announced_for_the_next_pass() -> None:
    waits = given(changed("Next area", outcome="waiting"), removed("Area", outcome="waiting"))
    _, pending = todos(waits)
    assert (pending.title, pending.command) == ("Pending: 1 record", "reconcile --confirm-deletes")
    assert "next pass" not in pending.sentences[0]


def test_a_guard_shows_how_to_lift_it() -> None:
    reported = report(replicas=(replica(status="blocked", refusals=(refusal(),)),))
    (guard,) = todos(status_of(reported))
    assert "412" in guard.title
    assert guard.help == f"help#guard-{refusal().guard}"
    assert guard.command


def test_where_the_read_is_of_another_home_nothing_is_said_to_be_unreadable() -> None:
    refused = replace(refusal(), guard=GuardName.WRONG_INSTANCE)
    reported = report(
        removed("A", outcome="held"), replicas=(replica(status="blocked", refusals=(refused,)),)
    )
    assert [todo.id for todo in todos(status_of(reported))] == ["todo-sqlite-wrong_instance"]


def test_a_guard_that_holds_nothing_yet_has_no_count() -> None:
    stores = (replica(status="blocked", refusals=(replace(refusal(), held=0),)),)
    (guard,) = todos(status_of(report(replicas=stores)))
    assert guard.title == "Guard delete_ratio: any change would be held back in SQLite"


def test_the_name_of_held_deletes_is_reported_where_there_is_one() -> None:
    named = replace(refusal(), name="40-0123456789")
    reported = report(replicas=(replica(status="blocked", refusals=(named,)),))
    (guard,) = todos(status_of(reported))
    assert guard.sentences[-1] == (
        "Or name these deletes in plan.allow_deletes, in the app its option: 40-0123456789."
    )


def test_an_unknown_status_is_the_only_item_to_look_at() -> None:
    lost = SourceStatus("ws://home", connected=False, error="refused")
    status = given(foreign("A"), source=lost)
    status = status_of(status.report, source=lost, replicas=tuple(_lost(r) for r in status.replicas))
    assert [t.id for t in todos(status)] == ["todo-unknown"]
    assert todos(status_of(None, replicas=())) == [], "the first look is under way"


def _lost(replica_status: Any) -> Any:
    return replace(replica_status, unproven_since=NOON)
