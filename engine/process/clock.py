"""The clock of a process: Unix seconds that never jump, and what they are by the wall clock and the machine's own.

A wall clock may be set while a service runs: ages that are counted with it would be wrong from then on. So the
process counts from the time it started with, by a clock that cannot be set and that continues while the machine sleeps.
What is written down or shown is translated to the wall clock as it is set then.
"""

import time
from collections.abc import Callable
from pathlib import Path

from engine.core.guards.look import Calendar

# Shorter than anything that is reported; and NTP adjusts the rate of both clocks alike.
_SHIFT_DIGITS = 3
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UPTIME = Path("/proc/uptime")


class ProcessClock:
    """Call it for the time. `elapsed` counts seconds from anywhere; `boot` and `uptime` are the machine's, or None."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] | None = None,
        boot: str | None = None,
        uptime: float | None = None,
    ) -> None:
        """By default the machine's own, where the system reports them."""
        if elapsed is None:
            elapsed, boot, uptime = since_boot, read_boot_id(), read_uptime()
        self._wall = wall
        self._elapsed = elapsed
        running = elapsed()
        self._offset = wall() - running
        self._boot = boot
        self._booted_at = None if boot is None or uptime is None else self() - uptime

    def __call__(self) -> float:
        """Now. Never jumps, and so may be far from the wall clock."""
        return self._offset + self._elapsed()

    def wall(self) -> float:
        """Now, by the wall clock."""
        return self._wall()

    def calendar(self) -> Calendar:
        """What the times that this clock gives are, as the wall clock is set now."""
        shift = round(self._wall() - self(), _SHIFT_DIGITS)
        return Calendar(shift, self._boot, self._booted_at)


def since_boot() -> float:
    """Seconds that continue while the machine sleeps, where the system counts them."""
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
    """For how many seconds the machine has been running; None if the system does not report it."""
    try:
        return float(_UPTIME.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
