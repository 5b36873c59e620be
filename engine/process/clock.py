"""The clock of a process: Unix seconds that never jump, and their conversion to the wall clock and the uptime.

A wall clock may be set while a service runs: ages measured with it would be wrong from then on. So the
process counts from its start time, by a clock that cannot be set and that continues while the machine sleeps.
Times that are stored or shown are converted to the wall clock as it is set then.
"""

import time
from collections.abc import Callable
from pathlib import Path

from engine.core.guards.look import Calendar

# Two clocks are never read at once, and NTP adjusts the rate of both alike: a smaller difference is no clock that was set.
_SHIFT_SECONDS_MIN = 0.1
_SHIFT_DIGITS = 3
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UPTIME = Path("/proc/uptime")


class ProcessClock:
    """Returns the time when called. `elapsed` counts seconds from any start; `boot` and `uptime` are the machine's, or None."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] | None = None,
        boot: str | None = None,
        uptime: float | None = None,
    ) -> None:
        """The defaults are the machine's own, if the system reports them."""
        if elapsed is None:
            elapsed, boot, uptime = since_boot, read_boot_id(), read_uptime()
        self._wall = wall
        self._elapsed = elapsed
        running = elapsed()
        self._offset = wall() - running
        self._boot = boot
        self._shift = 0.0
        self._booted_at = None if boot is None or uptime is None else self() - uptime

    def __call__(self) -> float:
        """The current time. It never jumps, so it may be far from the wall clock."""
        return self._offset + self._elapsed()

    def wall(self) -> float:
        """The current time by the wall clock."""
        return self._wall()

    def calendar(self) -> Calendar:
        """The conversion of this clock's times to the wall clock as it is set now."""
        shift = round(self._wall() - self(), _SHIFT_DIGITS)
        if abs(shift - self._shift) >= _SHIFT_SECONDS_MIN:
            self._shift = shift  # else every earlier time would be shown differently
        return Calendar(self._shift, self._boot, self._booted_at)


def since_boot() -> float:
    """Seconds from any start, which continue while the machine sleeps if the system supports that."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def read_boot_id() -> str | None:
    """The id of this boot of the machine; None if the system does not report it."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def read_uptime() -> float | None:
    """The seconds since the machine's boot; None if the system does not report them."""
    try:
        return float(_UPTIME.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
