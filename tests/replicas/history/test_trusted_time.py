"""Nothing is forgotten by a clock that may have jumped: revisions must continue for a month after every gap."""

import apsw
import pytest

from engine.replicas.history.schema import ensure_records
from engine.replicas.history.trusted_time import find_doubt
from tests.homes import NOON

DAY = 86_400


def file_with(days: list[float]) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    ensure_records(connection, "history")
    connection.executemany(
        "INSERT INTO records VALUES (?, 'device', 'd', 'update', 1, '1:a', '{}', '', 'run', NULL, NULL)",
        [(int((NOON + day * DAY) * 1_000_000_000),) for day in days],
    )
    return connection


def doubt(days: list[float], now: float) -> str | None:
    return find_doubt(file_with(days), int((NOON + now * DAY) * 1_000_000_000))


@pytest.mark.parametrize(
    ("days", "now"),
    [
        ([], 9_999),
        ([0], 0),
        ([0], 31),
        ([0, 0.1, 0.2], 20),
        ([0, 20, 40, 60], 80),
        # A gap, and more than a month of revisions since.
        ([0, 300, 320, 340], 341),
        ([0, 300, 331, 331.5], 340),
        # A long history is not read through: a gap far back does not matter.
        ([0, *range(900, 1_000)], 1_000),
    ],
)
def test_a_time_that_the_revisions_support_is_trusted(days: list[float], now: float) -> None:
    assert doubt(days, now) is None


@pytest.mark.parametrize(
    ("days", "now", "why"),
    [
        ([0], 32, "32 days before what this machine's clock shows"),
        ([0, 1, 2], 1_800, "1798 days before"),
        ([0, 1, 2], 1, "and the newest revision is of"),
        ([0], -20_000, "and the newest revision is of"),
        # The clock jumped, and revisions were written since.
        ([0, 1, 2, 1_800], 1_800, "there is no revision, and those since then do not yet reach over 31 days"),
        ([0, 1, 2, 1_800, 1_815, 1_830], 1_831, "do not yet reach"),
        ([0, 40, 80], 81, "do not yet reach"),
    ],
)
def test_time_that_may_have_jumped_is_not_believed(days: list[float], now: float, why: str) -> None:
    assert why in str(doubt(days, now))


def test_the_check_of_the_clock_takes_few_steps_in_a_long_history() -> None:
    connection = file_with([number / 100 for number in range(20_000)])
    steps = [0]

    def count_steps() -> bool:
        steps[0] += 1
        return False

    connection.set_progress_handler(count_steps, 1)
    assert find_doubt(connection, int((NOON + 200 * DAY) * 1_000_000_000)) is None
    assert steps[0] < 200
