"""When a look at Home Assistant was taken, and how much time surely went by between two looks.

A wall clock is no evidence of time: it may be set between two looks, and a machine may start in 1970. So a look
also says how long the machine had been running, and since which start. Within one start nothing sets that clock;
since an earlier start at least the time went by that the machine has been running now.
"""

import msgspec

# A wall clock that shows an earlier time (2026-11-01) is wrong: this program is younger.
PLAUSIBLE_SINCE = 1_793_491_200.0
# Of the clock that counts since the machine's start: some systems count hundredths of a second.
_RESOLUTION_SECONDS = 0.02


class Look(msgspec.Struct, frozen=True):
    """Unix seconds by the wall clock, and a time that cannot be set.

    `boot` names the start of the machine, `uptime` counts seconds since then; None if the system does not say.
    """

    wall: float
    boot: str | None = None
    uptime: float | None = None


class FirstSeen(msgspec.Struct, frozen=True):
    """A difference that was found first by a look, and the version that the replica's row had."""

    version: str | None
    at: Look


class Calendar(msgspec.Struct, frozen=True):
    """What the times of this process, which never jump, are by other clocks. In seconds."""

    shift: float = 0.0  # to be added for the time by the wall clock, as it is set now
    boot: str | None = None
    booted_at: float | None = None  # when the machine was started, by this process's own times

    def wall(self, at: float) -> float:
        """A time of this process by the wall clock as it is set now."""
        return at + self.shift

    def look(self, at: float) -> Look:
        """A look that was taken at a time of this process."""
        uptime = None if self.booted_at is None else at - self.booted_at
        return Look(self.wall(at), self.boot, uptime)


def begun_at(first: Look, now: Look) -> float | None:
    """When a look was taken by the wall clock as it is set `now`, Unix seconds; None if that is not known.

    Its own wall clock may have been wrong; within one start of the machine, how long ago it was is known all the same.
    """
    if first.uptime is not None and now.uptime is not None and first.boot == now.boot:
        return round(now.wall - max(0.0, now.uptime - first.uptime), 3)
    is_plausible = PLAUSIBLE_SINCE <= first.wall <= now.wall or now.wall < PLAUSIBLE_SINCE
    return first.wall if is_plausible else None


def elapsed(first: Look, last: Look) -> float:
    """Seconds that went by for sure. Below zero: the looks cannot be compared, and the wait starts again."""
    wall = last.wall - first.wall
    if first.uptime is not None and last.uptime is not None:
        if first.boot == last.boot:
            return last.uptime - first.uptime + _RESOLUTION_SECONDS
        return min(wall, last.uptime)
    if first.wall < PLAUSIBLE_SINCE <= last.wall:
        return -1.0
    return wall if last.wall >= PLAUSIBLE_SINCE else min(wall, 0.0)
