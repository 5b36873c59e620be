"""Revisions after a wall clock was wrong: in order, none in the future, and new ones with their true time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.core.compare.diff import Cause, Difference
from engine.core.compare.plan import Action, Operation
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Area
from engine.errors import ReplicaRejected
from engine.ports import Run
from engine.replicas.history.replica import HistoryFile, open_history
from tests.homes import NOON
from tests.replicas.passes import sql

DAY = 86_400.0
IN_2099 = datetime(2099, 1, 1, tzinfo=UTC).timestamp()
KITCHEN = Area(area_id="kitchen", name="Kitchen").key
EPOCH = 5.0


@pytest.fixture
def history(tmp_path: Path) -> HistoryFile:
    return open_history(tmp_path / "h.db")


def upsert(area: Area) -> Operation:
    difference = Difference(area.key, Cause.PENDING, content_hash(area), None, None)
    return Operation(Action.UPSERT, difference, None, area)


def write(history: HistoryFile, name: str, at: float) -> str | None:
    """One revision of the kitchen, and one of another record, at the clock's time; returns the note."""
    areas = Area(area_id="kitchen", name=name), Area(area_id=f"other {name}", name=name)
    history.apply([upsert(area) for area in areas], Run(f"run {name}", at, "test", "2026.11.0"))
    return history.take_note()


def times(history: HistoryFile) -> list[tuple[str, float]]:
    return [(str(r.fields["name"]), r.at) for r in history.timeline(KITCHEN)]


def names_as_of(history: HistoryFile, at: float) -> str | None:
    found = history.as_of(at).get(KITCHEN)
    return str(found.fields["name"]) if found else None


def test_after_a_clock_of_2099_new_revisions_carry_their_true_time_and_stay_in_order(
    history: HistoryFile,
) -> None:
    assert write(history, "one", NOON) is None
    assert write(history, "two", IN_2099) is None
    assert write(history, "three", IN_2099 + 60) is None
    note = write(history, "four", NOON + 600)
    assert note is not None
    assert "4 revisions" in note
    assert "2099-01-01T00:01:00" in note
    assert write(history, "five", NOON + 700) is None
    names, at = zip(*times(history), strict=True)
    assert names == ("one", "two", "three", "four", "five")
    assert list(at) == sorted(at)
    assert at[3:] == (NOON + 600, NOON + 700)
    assert at[1:3] == pytest.approx((NOON + 600, NOON + 600), abs=0.001)
    assert names_as_of(history, NOON + 599) == "one"
    assert names_as_of(history, NOON + 600) == "four"
    assert [r.rev for r in history.timeline(KITCHEN)] == [1, 2, 3, 4, 5]
    assert history.observe().versions.keys() >= {KITCHEN}


@pytest.mark.parametrize("ahead", [7200.0, 20 * DAY])
def test_a_clock_that_ran_ahead_is_corrected_as_well(history: HistoryFile, ahead: float) -> None:
    write(history, "one", NOON + ahead)
    assert write(history, "two", NOON)
    assert times(history)[1] == ("two", NOON)


def test_a_clock_correction_of_seconds_leaves_earlier_revisions_unchanged(history: HistoryFile) -> None:
    write(history, "one", NOON + 20)
    assert write(history, "two", NOON) is None
    (_, first), (_, second) = times(history)
    assert second == pytest.approx(first)
    assert sql(history.path, "SELECT max(at_ns) - min(at_ns) FROM records") == [(3,)]


def test_a_clock_of_1970_dates_nothing_again(history: HistoryFile) -> None:
    write(history, "one", NOON)
    assert write(history, "two", EPOCH) is None
    assert write(history, "three", NOON + 60) is None
    assert [name for name, _ in times(history)] == ["one", "two", "three"]
    assert times(history)[0] == ("one", NOON)
    assert times(history)[2] == ("three", NOON + 60)


def test_a_new_history_that_begins_in_1970_goes_on_with_the_true_time(history: HistoryFile) -> None:
    write(history, "one", EPOCH)
    assert write(history, "two", NOON) is None
    assert [at for _, at in times(history)] == [EPOCH, NOON]


def test_years_of_history_are_not_redated_by_a_clock_that_was_set_back(history: HistoryFile) -> None:
    for year in range(1, 4):
        write(history, str(year), NOON + year * 365 * DAY)
    before = times(history)
    assert write(history, "late", NOON) is None
    assert times(history)[:3] == before
    assert times(history)[3][0] == "late"


@pytest.mark.parametrize("year", [2263, 2300])
def test_a_time_that_cannot_be_stored_is_refused(history: HistoryFile, year: int) -> None:
    write(history, "one", NOON)
    with pytest.raises(ReplicaRejected, match="clock"):
        write(history, "two", datetime(year, 1, 1, tzinfo=UTC).timestamp())
    assert [name for name, _ in times(history)] == ["one"]
