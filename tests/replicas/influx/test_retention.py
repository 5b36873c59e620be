"""When an unchanged record is written again."""

import pytest

from engine.core.records.record import Key
from engine.errors import HistoryForgotten, ReplicaRejected
from engine.replicas.influx.retention import check_kept, is_due, refresh_seconds
from tests.homes import NOON

DAY = 86_400


@pytest.mark.parametrize(
    ("retention", "wanted", "within"),
    [
        (0, 5 * DAY, 5 * DAY),
        (None, 5 * DAY, 5 * DAY),
        (30 * DAY, 5 * DAY, 5 * DAY),
        (7 * DAY, 5 * DAY, 3.5 * DAY),
    ],
)
def test_a_record_is_renewed_before_half_of_the_retention(
    retention: int | None, wanted: float, within: float
) -> None:
    assert refresh_seconds(retention, wanted) == within


def test_a_retention_below_a_day_is_refused() -> None:
    with pytest.raises(ReplicaRejected, match=r"23 hours only.*at least 24 hours"):
        refresh_seconds(23 * 3600, 5 * DAY)


def test_refreshes_are_spread_over_the_last_quarter() -> None:
    keys = [Key("device", str(n)) for n in range(400)]

    def due(age: float) -> int:
        return sum(is_due(key, 0, age, DAY) for key in keys)

    assert due(0.75 * DAY - 1) == 0
    assert due(DAY) == 400
    assert 120 < due(0.875 * DAY) < 280


@pytest.mark.parametrize(
    ("days_ago", "window_days_ago", "retention_days"),
    [(0, 3, 30), (20, 25, 30), (24, 29.9, 30), (400, 405, 0), (5, 10, None), (20, None, 30)],
)
def test_the_past_is_reported_where_all_of_it_is_kept(
    days_ago: float, window_days_ago: float | None, retention_days: int | None
) -> None:
    check_past(days_ago, window_days_ago, retention_days)


@pytest.mark.parametrize(
    ("days_ago", "window_days_ago", "known_days_ago"),
    [(26, 31, 25), (31, 36, 25), (31, None, 25), (400, 405, 25), (0, 31, 0)],
)
def test_part_of_a_home_is_not_returned_as_a_home(
    days_ago: float, window_days_ago: float | None, known_days_ago: float
) -> None:
    with pytest.raises(HistoryForgotten, match="keeps points for 30 days") as refused:
        check_past(days_ago, window_days_ago, 30)
    assert refused.value.known_from == NOON - known_days_ago * DAY


def check_past(days_ago: float, window_days_ago: float | None, retention_days: int | None) -> None:
    start_ns = 0 if window_days_ago is None else int((NOON - window_days_ago * DAY) * 1e9)
    retention = None if retention_days is None else retention_days * DAY
    check_kept(int((NOON - days_ago * DAY) * 1e9), start_ns, NOON, retention, 5.0 * DAY)
