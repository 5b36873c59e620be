"""When an unchanged record is written again."""

import pytest

from engine.core.home.record import Key
from engine.errors import ReplicaRejected
from engine.replicas.influx.retention import is_due, refresh_seconds

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
