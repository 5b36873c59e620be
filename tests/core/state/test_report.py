"""The report of a pass, and the part that is kept: writes in large numbers are counted and not listed."""

import msgspec

from engine.core.compare.diff import Cause
from engine.core.state.report import (
    APPLIED_MAX,
    Counts,
    ErrorReport,
    FoundKey,
    PlanCounts,
    ReplicaReport,
    SourceReport,
    left_by_kind,
    open_keys,
    open_records,
    unknown_replica,
    with_first_found,
    without_many_applied,
    write_lag_seconds,
)
from engine.core.times import Instant, instant
from engine.core.words import Outcome, SyncStatus
from engine.errors import ReplicaUnavailable
from tests.commandline.reports import changed, foreign, replica, report
from tests.homes import NOON


def test_a_pass_with_too_many_writes_to_list_keeps_the_remaining_differences() -> None:
    held = [changed(f"held {n}", outcome=Outcome.HELD) for n in range(3)]
    applied = [changed(f"applied {n}", outcome=Outcome.APPLIED) for n in range(APPLIED_MAX + 1)]
    assert without_many_applied(report(*held, *applied)).records == tuple(held)


def test_any_number_of_differences_is_kept() -> None:
    held = [changed(f"held {n}", outcome=Outcome.HELD) for n in range(APPLIED_MAX + 1)]
    made = report(*held, changed("applied", outcome=Outcome.APPLIED))
    assert without_many_applied(made) is made
    assert without_many_applied(report(*held[:2])) == report(*held[:2])


def test_a_difference_is_first_found_by_the_pass_that_first_shows_of_it() -> None:
    found: dict[FoundKey, float] = {}
    made = (
        report(foreign("Sun"), replicas=(replica(),)),
        report(foreign("Sun"), foreign("Moon"), changed("Lamp", since=Instant(NOON)), replicas=(replica(),)),
        report(replicas=(replica(status="unknown"),)),  # nothing was looked at
        report(foreign("Sun"), replicas=(replica(),)),
        report(foreign("Moon"), replicas=(replica(),)),
    )
    reported = [
        [(r.name, r.since) for r in with_first_found(each, found, NOON + number).records]
        for number, each in enumerate(made, 1)
    ]
    assert reported == [
        [("Sun", NOON + 1)],
        [("Sun", NOON + 1), ("Moon", NOON + 2), ("Lamp", NOON)],
        [],
        [("Sun", NOON + 1)],
        [("Moon", NOON + 5)],
    ]


def test_a_continuing_difference_keeps_its_start() -> None:
    found: dict[FoundKey, float] = {}

    def reported(at: float, since: float | None, shift: float = 0.0, **fields: object) -> float | None:
        lamp = changed("Lamp", since=instant(since), **fields)
        (record,) = with_first_found(report(lamp, replicas=(replica(),)), found, at, shift).records
        return record.since

    assert reported(NOON, None) == NOON
    # It is missed with evidence now, and changed once more.
    assert reported(NOON + 60, NOON + 60) == NOON
    # What was known before that is the beginning.
    assert reported(NOON + 70, NOON - 30) == NOON - 30
    assert reported(NOON + 80, None, cause=Cause.FOREIGN) == NOON - 30
    # The wall clock was an hour behind, and is set.
    assert reported(NOON + 90, None, shift=3600) == NOON - 30 + 3600
    # Once it is written, the next one starts over.
    assert reported(NOON + 100, NOON + 100, outcome="applied") == NOON - 30
    assert reported(NOON + 110, None) == NOON + 110


def test_a_write_has_a_lag_and_a_first_fill_has_none() -> None:
    since = Instant(NOON)
    written = changed("Lamp", outcome=Outcome.APPLIED, cause=Cause.PENDING, since=since, replica_hash="h")
    assert write_lag_seconds(written, NOON + 1.5) == 1.5
    assert write_lag_seconds(written, NOON - 1) == 0.0
    for other in ({"outcome": Outcome.HELD}, {"cause": Cause.DRIFT}, {"replica_hash": None}, {"since": None}):
        assert write_lag_seconds(msgspec.structs.replace(written, **other), NOON) is None


def test_a_beginning_is_kept_by_the_clock_that_is_never_set() -> None:
    found: dict[FoundKey, float] = {}
    lamp = changed("Lamp", since=Instant(NOON + 3600), outcome=Outcome.HELD)
    made = report(lamp, replicas=(replica(),))
    assert with_first_found(made, found, NOON + 10, 3600.0).records == (lamp,)
    # The wall clock was an hour ahead, and is right now.
    later = report(changed("Lamp", since=None, outcome=Outcome.HELD), replicas=(replica(),))
    assert [r.since for r in with_first_found(later, found, NOON + 20).records] == [NOON]


def test_up_to_the_limit_all_that_was_written_is_kept() -> None:
    applied = [changed(f"applied {n}", outcome=Outcome.APPLIED) for n in range(APPLIED_MAX)]
    one = applied[0]
    assert without_many_applied(report(*applied)).records == tuple(applied)
    held = changed("held", outcome=Outcome.HELD)
    assert without_many_applied(report(held, *applied)).records == (held, *applied)
    assert len(without_many_applied(report(held, *applied, one)).records) == 1


def test_an_applied_record_no_longer_differs() -> None:
    made = report(
        changed("Lamp", outcome=Outcome.APPLIED),
        changed("Sun", outcome=Outcome.HELD),
        changed("Sun", outcome=Outcome.FAILED, replica="history"),
        foreign("Moon", outcome=Outcome.REPORTED),
    )
    assert [(r.replica, r.name) for r in open_records(made)] == [
        ("sqlite", "Sun"),
        ("history", "Sun"),
        ("sqlite", "Moon"),
    ]
    assert open_keys(made) == {("device", "sun"), ("device", "moon")}
    assert open_keys(made, Outcome.FAILED) == {("device", "sun")}
    assert left_by_kind(made) == {("sqlite", "stale"): 1, ("history", "stale"): 1, ("sqlite", "foreign"): 1}
    twice = report(changed("Lamp", outcome=Outcome.HELD), changed("Sun", outcome=Outcome.HELD))
    assert left_by_kind(twice) == {("sqlite", "stale"): 2}
    assert (open_records(None), open_keys(None)) == ([], set())


def test_a_registry_was_read_unless_the_report_says_which_ones_were() -> None:
    assert SourceReport("test", True).has_read("device")
    some = SourceReport("test", True, registries=("device",))
    assert (some.has_read("device"), some.has_read("entity")) == (True, False)


def test_a_replica_that_could_not_be_compared_is_unknown_with_its_error() -> None:
    assert unknown_replica("history", "no such disk") == ReplicaReport(
        "history", SyncStatus.UNKNOWN, Counts(), PlanCounts(), PlanCounts(), error="no such disk"
    )


def test_an_error_is_reported_with_its_replica_hint_and_whether_it_is_retried() -> None:
    error = ReplicaUnavailable("history", "The disk is away.", "Plug it in.")
    assert ErrorReport.of("history", error) == ErrorReport(
        "history", "The disk is away.", "Plug it in.", True
    )
