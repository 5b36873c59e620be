"""How fast the file grows, by its newest revisions."""

import apsw
import pytest

from engine.replicas.history.growth import bytes_per_second
from engine.replicas.history.schema import ensure_records
from tests.homes import NOON

DAY = 86_400.0
NOW = NOON + 100 * DAY


def file_with(times: list[float], rev: int = 2) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    ensure_records(connection, "history")
    connection.executemany(
        "INSERT INTO records VALUES (?, 'device', 'd', 'update', ?, '1:a', ?, '', 'run', NULL, NULL)",
        [(int(at * 1_000_000_000), rev, "x" * 1000) for at in times],
    )
    return connection


def per_day(connection: apsw.Connection) -> float:
    return bytes_per_second(connection, int(NOW * 1_000_000_000)) * DAY


def test_a_weeks_revisions_are_reported_as_of_a_second() -> None:
    times = [NOW - 30 * DAY, *(NOW - 7 * DAY * n / 70 for n in range(1, 70))]
    assert per_day(file_with(times)) == pytest.approx(10 * 1_200, rel=0.1)


def test_a_flapping_record_is_judged_by_its_newest_revisions() -> None:
    times = [NOW - 20 * DAY, *(NOW - n * DAY / 50_000 for n in range(12_000))]
    assert per_day(file_with(times)) == pytest.approx(50_000 * 1_200, rel=0.1)


def test_a_fill_is_no_growth_and_an_hour_is_no_day() -> None:
    assert per_day(file_with([NOW - n for n in range(6_000)], rev=1)) == 0
    assert per_day(file_with([NOW - 60])) == pytest.approx(1_200, rel=0.1)
    assert per_day(file_with([])) == 0
