"""What the service forgets of the past is logged, seldom and with its count."""

import io
import logging
from collections.abc import Iterator

import pytest

from engine.commandline.text.forgotten_lines import ForgottenLines
from engine.commandline.text.log_lines import set_up_logging
from engine.core.state.kept_past import Growth
from tests.homes import NOON


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def logged(*looks: tuple[float, Growth | None]) -> list[str]:
    stream = io.StringIO()
    lines = ForgottenLines(set_up_logging(stream, format_="text", level="info"))
    for now, growth in looks:
        lines.log(growth, now)
    return [line.partition(" ")[2] for line in stream.getvalue().splitlines()]


def test_a_round_of_forgetting_is_one_line_with_its_counts() -> None:
    steps = [Growth(known_from=NOON, just_by_age=n, just_by_thinning=n // 2) for n in (0, 10, 20, 20, 20)]
    assert logged(*enumerate(steps)) == [
        "info    history forgotten by_age=20 by_thinning=10 known_from=2026-11-23T12:00:00.000Z"
    ]


def test_there_is_a_line_an_hour_at_most_and_none_is_lost() -> None:
    looks = [(60.0 * minute, Growth(just_by_age=minute // 2)) for minute in range(1, 242)]
    counts = [int(line.partition("by_age=")[2].partition(" ")[0]) for line in logged(*looks)]
    assert len(counts) in (4, 5)
    assert sum(counts) >= 90
    assert all("known_from" not in line for line in logged(*looks))


def test_nothing_is_logged_about_earlier_processes_or_unknown_growth() -> None:
    assert (
        logged((0, None), (1, Growth(forgotten_by_age=7)), (2, Growth(forgotten_by_age=7)), (3, None)) == []
    )
