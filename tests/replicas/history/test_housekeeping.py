"""The history file is kept small in short steps, and may stop after any of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ReplicaError
from engine.replicas.history import housekeeping
from engine.replicas.history.housekeeping import Housekeeper
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.history.retention import KEEP_ALL, Retention
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, NOON, entity, snapshot
from tests.replicas.history.test_holders import as_earlier_release
from tests.replicas.passes import one_pass, sql

DAY = 86_400.0
KEY = entity(1).key
DAYS = 20
NOW = NOON + (DAYS - 0.5) * DAY


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of twenty days, in steps of two revisions or one page."""
    monkeypatch.setattr(housekeeping, "_REVISIONS_A_STEP", 2)
    monkeypatch.setattr(housekeeping, "_PAGES_A_STEP", 1)
    path, rows = tmp_path / "history.db", open_rows(tmp_path / "rows.db")
    history = open_history(path)
    for day in range(DAYS):
        # So long that each takes a page.
        one_pass(history, rows, snapshot(ENTRY, entity(1, name=f"{day} {'x' * 4000}")), at=NOON + day * DAY)
    history.close()
    rows.close()
    return path


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(path: Path, clock: Clock) -> Iterator[HistoryFile]:
    made = open_history(path, retention=Retention(keep_days=5), clock=clock)
    yield made
    made.close()


def count(path: Path) -> int:
    return len(sql(path, "SELECT 1 FROM records WHERE registry = 'entity'"))


def until_tidy(history: HistoryFile, *, is_calm: bool = True) -> int:
    looks = 1
    while not history.tidy(is_calm=is_calm):
        looks += 1
        assert looks < 500
    return looks


def test_the_running_service_forgets_step_by_step_and_gives_the_space_back(
    history: HistoryFile, path: Path
) -> None:
    size = path.stat().st_size
    assert not history.tidy(is_calm=True)
    assert count(path) > DAYS - 5, "a step is a short one"
    assert until_tidy(history) > 10
    assert count(path) == 6, "five days, and the state at the edge"
    growth = history.growth()
    assert (growth.forgotten_by_age, growth.known_from, growth.doubt) == (14, NOW - 5 * DAY, None)
    assert (growth.just_by_age, growth.just_by_thinning) == (14, 0)
    history.close()
    assert path.stat().st_size < size / 2


def test_a_round_begins_every_hour(history: HistoryFile, path: Path, clock: Clock) -> None:
    until_tidy(history)
    clock.now += 1800
    assert until_tidy(history) == 1
    clock.now += DAY
    assert until_tidy(history) > 1
    assert count(path) == 5


def test_a_round_that_waits_for_a_calm_moment_is_not_forgotten(history: HistoryFile) -> None:
    assert not history.tidy(is_calm=False), "the service would not come back before the next pass"


def test_events_without_a_pause_slow_it_down_and_do_not_stop_it(history: HistoryFile, path: Path) -> None:
    for _ in range(400):
        history.tidy(is_calm=False)
    assert count(path) == 6


def test_every_step_may_be_the_last(path: Path, clock: Clock) -> None:
    rounds = 0
    while count(path) != 6:
        rounds += 1
        history = open_history(path, retention=Retention(keep_days=5), clock=clock)
        steps = history.housekeeper.steps(history.housekeeper.plan())
        for _ in range(rounds):
            next(steps, None)
        # Whatever it was cut off at, the file admits to it.
        forgotten = history.forgotten(KEY)
        assert len(history.timeline(KEY)) + forgotten.by_age == DAYS
        assert forgotten.known_from == (NOW - 5 * DAY if forgotten.by_age else None)
        assert history.as_of(NOW - 5 * DAY)[KEY].rev == 15
        history.close()
    assert rounds > 3


def test_after_a_clock_jump_nothing_is_forgotten_and_the_reason_is_reported(
    history: HistoryFile, path: Path, clock: Clock
) -> None:
    clock.now = NOW + 2_000 * DAY
    until_tidy(history)
    assert count(path) == DAYS
    assert "days before what this machine's clock shows" in str(history.growth().doubt)
    clock.now = NOW
    until_tidy(history)
    assert count(path) == 6


def test_without_retention_nothing_but_the_names_is_touched(path: Path, clock: Clock) -> None:
    as_earlier_release(path)
    history = open_history(path, retention=KEEP_ALL, clock=clock)
    until_tidy(history)
    assert count(path) == DAYS
    assert sql(path, "SELECT count(*) FROM bearers") == [(1,)]
    assert history.growth().bytes_per_second > 0
    history.close()


def test_a_file_that_cannot_be_written_is_left_for_an_hour(path: Path, clock: Clock) -> None:
    history = open_history(path, retention=Retention(keep_days=5), clock=clock, busy_timeout_seconds=0)
    sql(path, "CREATE TRIGGER t BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(ReplicaError, match="no"):
        until_tidy(history)
    assert history.tidy(is_calm=True)
    assert count(path) == DAYS
    assert history.forgotten(KEY).known_from is None, "nothing was forgotten, and it does not say so"
    history.close()


def test_an_absent_file_stays_absent(tmp_path: Path, clock: Clock) -> None:
    history = open_history(tmp_path / "none.db", retention=Retention(keep_days=1), clock=clock)
    assert until_tidy(history) == 1
    assert list(tmp_path.iterdir()) == []
    housekeeper = Housekeeper(history.file, Retention(keep_days=1), clock)
    assert housekeeper.count(housekeeper.plan()) == (0, 0)
