"""The clock of a process, by clocks that are set by hand."""

from pathlib import Path

import pytest

from engine.core.guards.look import Calendar, Look
from engine.process import clock as process_clock
from engine.process.clock import ProcessClock, read_boot_id, read_uptime
from tests.homes import NOON

DAY = 86_400.0


class Machine:
    """A wall clock that can be set, and a clock that cannot."""

    def __init__(self) -> None:
        self.wall, self.running = NOON, 100.0
        self.clock = ProcessClock(lambda: self.wall, lambda: self.running, "boot", 300.0)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.running += seconds


def test_it_starts_with_the_wall_clock_and_goes_on_without_it() -> None:
    machine = Machine()
    assert machine.clock() == NOON
    machine.wait(5)
    machine.wall -= DAY
    assert machine.clock() == NOON + 5
    assert machine.clock.wall() == NOON + 5 - DAY


def test_earlier_times_are_converted_to_the_current_wall_clock() -> None:
    machine = Machine()
    before = machine.clock()
    machine.wait(5)
    assert machine.clock.calendar() == Calendar(0.0, "boot", NOON - 300)
    machine.wall += 73 * 365 * DAY
    calendar = machine.clock.calendar()
    assert calendar.wall(before) == NOON + 73 * 365 * DAY
    assert calendar.look(before) == Look(NOON + 73 * 365 * DAY, "boot", 300.0)


def test_a_drift_of_less_than_a_tenth_of_a_second_is_none() -> None:
    machine = Machine()
    for seconds in (0.0004, 0.01, 0.08, -0.17):  # one after the other
        machine.wall += seconds
        assert machine.clock.calendar().shift == 0
    machine.wall -= 0.05
    assert machine.clock.calendar().shift == pytest.approx(-0.1296, abs=0.0005)
    machine.wall += 0.08
    assert machine.clock.calendar().shift == pytest.approx(-0.1296, abs=0.0005)


def test_without_the_machines_own_clock_looks_have_the_wall_clock_only() -> None:
    clock = ProcessClock(lambda: NOON, lambda: 1.0)
    assert clock.calendar().look(NOON) == Look(NOON)


def test_the_calendar_of_this_machine_is_consistent() -> None:
    clock = ProcessClock()
    one, two = clock(), clock()
    assert one <= two
    calendar = clock.calendar()
    assert (calendar.boot is None) == (calendar.booted_at is None)


@pytest.mark.parametrize("text", [None, "", "no number", "\xff"])
def test_a_system_that_does_not_report_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "reported"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    for name in ("_UPTIME", "_BOOT_ID"):
        monkeypatch.setattr(process_clock, name, path)
    assert read_uptime() is None
    assert read_boot_id() in (None, "no number")


def test_the_numbers_of_a_linux_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "uptime"
    path.write_text("840.95 671.84\n")
    monkeypatch.setattr(process_clock, "_UPTIME", path)
    assert read_uptime() == 840.95
