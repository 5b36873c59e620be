"""The first question: the page never says more than is known."""

from typing import Any

import pytest
from msgspec.structs import replace

from api.activity import Activity
from api.page.views.status import status_view
from engine.core.records.set_aside import SetAside
from engine.core.state.report import Counts, ErrorReport, SourceReport
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import SyncStatus
from tests.api.serving import FRESHNESS, status_of
from tests.commandline.reports import changed, foreign, refusal, replica, report
from tests.homes import NOON

CONNECTED = SourceStatus("ws://home", True, "2026.11.0", "RUNNING")


def status(
    *words: str, records: tuple[Any, ...] = (), reported: Any = (), errors: Any = (), **given: Any
) -> Status:
    names = ("sqlite", "history")[: len(words)]
    replicas = tuple(
        ReplicaStatus(n, SyncStatus(w), synced_at=NOON, compared_at=NOON)
        for n, w in zip(names, words, strict=True)
    )
    made = report(*records, replicas=reported, errors=errors)
    return status_of(made, **{"replicas": replicas, "source": CONNECTED, **given})


def view(status: Status, now: float = NOON + 4) -> Any:
    return status_view(status, now, FRESHNESS, Activity())


def test_in_sync_names_the_replicas_and_when_it_was_proven() -> None:
    shown = view(status("in_sync", "in_sync"))
    assert (shown.state, shown.word, shown.proven_at) == ("in_sync", "In sync", NOON)
    assert shown.sentence.startswith("SQLite and the history file hold exactly what Home Assistant has")
    assert [r.lag_seconds for r in shown.replicas] == [4, 4]


def test_a_file_does_not_speak_for_home_assistant() -> None:
    kept = SourceReport("storage:/config", True, "2026.11.0", records=183)
    made = status("in_sync", "in_sync")
    assert made.report is not None
    shown = view(replace(made, report=replace(made.report, source=kept)))
    assert shown.sentence == "SQLite and the history file hold exactly what storage:/config has: 183 records."


def test_the_registries_that_were_compared_are_named_unless_all_were() -> None:
    made = status("in_sync", "in_sync")
    assert made.report is not None
    some = replace(made.report.source, registries=("area", "label"))
    shown = view(replace(made, report=replace(made.report, source=some)))
    assert shown.sentence.endswith(" exactly what Home Assistant has: 183 records of area, label.")


def test_without_home_assistant_it_is_not_known() -> None:
    for error, word in (("refused", "Out of reach"), (None, "Connecting")):
        source = SourceStatus("ws://home", False, error=error)
        known = status("in_sync", "in_sync", source=source)
        lost = tuple(replace(r, unproven_since=NOON + 1) for r in known.replicas)
        shown = view(replace(known, replicas=lost))
        assert (shown.state, shown.source_word) == ("unknown", word)
        assert {r.state for r in shown.replicas} == {"unknown"}
        assert shown.sentence.endswith("When it was last compared: in sync.")
        never = view(status_of(None, replicas=(), source=source)).sentence
        assert never.endswith("so the status is not known. Nothing was compared yet.")


def test_an_old_comparison_is_no_knowledge() -> None:
    shown = view(status("in_sync", "in_sync"), NOON + FRESHNESS.stale_seconds + 1)
    assert (shown.state, shown.sentence) == (
        "unknown",
        "SQLite and the history file are each unknown: last proven equal too long ago.",
    )


def test_each_unknown_replica_has_its_own_reason() -> None:
    """As `/readyz` words it: a file that was replaced, or an announced change that is still unread, is not "too old"."""
    known = ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=NOON, compared_at=NOON)
    replaced = replace(known, status=SyncStatus.UNKNOWN)
    unread = replace(known, replica="history", unread_since=NOON)
    sentences = {
        "SQLite": "SQLite is unknown: another program may have written to it, and nothing was compared since.",
        "history": "The history file is unknown: Home Assistant announced a change, and it was not read yet.",
    }
    later = NOON + FRESHNESS.unread_seconds + 1
    for replicas, sentence in (
        ((replaced, replace(known, replica="history")), sentences["SQLite"]),
        ((known, unread), sentences["history"]),
        ((replaced, unread), " ".join(sentences.values())),
    ):
        assert view(status("in_sync", replicas=replicas), later).sentence == sentence


def test_a_guard_that_holds_nothing_yet_is_not_counted() -> None:
    held = replica(status="blocked", refusals=(replace(refusal(), held=0),))
    shown = view(status("blocked", reported=(held,)))
    assert shown.sentence == "Any change would be held back: there is not enough evidence that it is right."


def test_before_the_first_pass_the_page_reports_that_none_has_run() -> None:
    shown = view(status_of(None, replicas=(ReplicaStatus("sqlite", SyncStatus.UNKNOWN),)))
    assert (shown.state, shown.proven_at) == ("unknown", None)
    assert "Nothing was compared yet" in shown.sentence
    assert not shown.is_compared
    assert view(status("in_sync")).is_compared


def test_a_replica_that_could_not_be_read_is_named() -> None:
    for subject, name in (("sqlite", "SQLite"), ("history", "The history file")):
        error = ErrorReport(subject, "file is not a database", "", transient=False)
        shown = view(status("unknown", "in_sync", errors=(error,)))
        assert (shown.state, shown.sentence) == (
            "unknown",
            f"{name} could not be compared, so the status is not known.",
        )


def test_a_guard_speaks_for_itself() -> None:
    held = replica(status="blocked", refusals=(refusal(),))
    kept = [changed(name, replica=r, outcome="held") for name in ("A", "B") for r in ("sqlite", "history")]
    shown = view(status("blocked", records=tuple(kept), reported=(held,)))
    assert (shown.state, shown.word) == ("blocked", "Held back by a guard")
    assert shown.sentence.startswith("Changes of 2 records are held back")
    (guard,) = shown.guards
    assert (guard.guard, guard.replica) == ("delete_ratio", "SQLite")
    assert guard.hint.startswith("To allow this, raise plan.delete_ratio_max")


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ((foreign("Sun"),), "1 foreign row is left alone."),
        (
            (foreign("Sun"), foreign("Moon"), changed("Lamp", outcome="observed")),
            "2 foreign rows are left alone; 1 difference is only observed.",
        ),
        (
            (changed("Lamp", outcome="observed"), changed("Lamp", replica="history", outcome="observed")),
            "1 difference is only observed.",
        ),
        ((changed("Lamp", outcome="applied"),), "Something is being written."),
    ],
)
def test_out_of_sync_lists_the_open_differences(records: tuple[Any, ...], sentence: str) -> None:
    shown = view(status("out_of_sync", records=records))
    assert (shown.state, shown.sentence) == ("out_of_sync", sentence)


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ((), "The history file could not be written: The disk is full."),
        (
            (foreign("Sun"),),
            "1 foreign row is left alone. The history file could not be written: The disk is full.",
        ),
        ((changed("Lamp", replica="history", outcome="failed"),), "1 change could not be written."),
    ],
)
def test_a_store_that_refuses_everything_is_not_being_written(
    records: tuple[Any, ...], sentence: str
) -> None:
    made = status("out_of_sync", records=records)
    assert made.report is not None
    errors = (ErrorReport("history", "The disk is full.", "Make room.", True),) * 2
    assert view(replace(made, report=replace(made.report, errors=errors))).sentence == sentence


def test_a_replica_that_was_never_equal_has_no_proof_time() -> None:
    replicas = (
        ReplicaStatus("sqlite", SyncStatus.OUT_OF_SYNC, compared_at=NOON),
        ReplicaStatus("history", SyncStatus.IN_SYNC, synced_at=NOON, compared_at=NOON),
    )
    assert view(status("unknown", replicas=replicas)).proven_at is None


def test_a_replica_shows_since_when_it_is_in_sync_or_unknown() -> None:
    replicas = (
        ReplicaStatus("sqlite", SyncStatus.IN_SYNC, status_since=NOON - 60, synced_at=NOON, compared_at=NOON),
    )
    it = status("unknown", replicas=replicas)
    assert [r.since for r in view(it).replicas] == [NOON - 60]
    assert [r.since for r in view(it, NOON + FRESHNESS.stale_seconds + 1).replicas] == [NOON + 60]


def test_rows_set_aside_are_named_and_nothing_is_called_equal_without_them() -> None:
    made = status("in_sync", "in_sync")
    assert made.report is not None
    rows = (SetAside("device", "id", "null", "its id is null", name="<b>Lamp</b>", position=3),)
    shown = view(replace(made, report=replace(made.report, set_aside=rows)))
    assert shown.sentence.endswith("183 records, but for 1 row that cannot be used.")
    assert shown.set_aside == list(rows)


def test_rows_that_were_not_compared_are_reported() -> None:
    reported = (replica(status="out_of_sync", counts=Counts(kept=2)),)
    shown = view(status("out_of_sync", reported=reported))
    assert shown.sentence == "2 rows not compared, because a row that cannot be used may be theirs."
