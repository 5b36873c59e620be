"""When a look at Home Assistant was taken, and how much time certainly passed between two looks.

A wall clock does not prove that time passed: it may be set between two looks, and a machine may start in 1970. So a look
also holds the machine's uptime, and which boot it counts from. Within one boot nothing can set that clock;
since an earlier boot, at least the current uptime has passed.
"""

import msgspec

# A wall clock that shows a time before this one (2026-11-01) is wrong: this program is newer.
PLAUSIBLE_SINCE = 1_793_491_200.0
# The resolution of the uptime: some systems count hundredths of a second.
_RESOLUTION_SECONDS = 0.02
# Within one boot, a wall clock that is further away from where the uptime has it was set.
_SET_SECONDS = 1.0
# In place of a boot: the clocks that date backups.
_DATES = "dates"


class Look(msgspec.Struct, frozen=True):
    """The time of a look: Unix seconds by the wall clock, and the uptime, which cannot be set.

    `boot` identifies the machine's boot, `uptime` counts seconds since then; None if the system does not provide them.
    """

    wall: float
    boot: str | None = None
    uptime: float | None = None


class FirstSeen(msgspec.Struct, frozen=True):
    """The look that first found a difference, and the version of the replica's row then."""

    version: str | None
    at: Look


class Calendar(msgspec.Struct, frozen=True):
    """Converts the times of this process, which never jump, to other clocks. In seconds."""

    shift: float = 0.0  # to add for the time by the wall clock, as it is set now
    boot: str | None = None
    booted_at: float | None = None  # when the machine booted, by this process's own times

    def wall(self, at: float) -> float:
        """Convert a time of this process to the wall clock as it is set now."""
        return at + self.shift

    def look(self, at: float, *, is_dated: bool = False) -> Look:
        """The look at a time of this process; with `is_dated`, at one that a file carries."""
        if is_dated:
            # This machine's uptime tells nothing of it: it may even have booted since.
            return Look(self.wall(at), _DATES, self.wall(at))
        uptime = None if self.booted_at is None else at - self.booted_at
        return Look(self.wall(at), self.boot, uptime)


def begun_at(first: Look, now: Look) -> float | None:
    """When a look was taken, by the wall clock as it is set `now`, Unix seconds; None if that is unknown.

    The wall clock may have been wrong then; within one boot of the machine, the look's age is known all the same.
    """
    if first.uptime is not None and now.uptime is not None and first.boot == now.boot:
        at = round(now.wall - max(0.0, now.uptime - first.uptime), 3)
        # Two clocks are never read at once: what was shown before stays, unless the wall clock was set.
        return first.wall if abs(at - first.wall) <= _SET_SECONDS else at
    is_plausible = PLAUSIBLE_SINCE <= first.wall <= now.wall or now.wall < PLAUSIBLE_SINCE
    return first.wall if is_plausible else None


def elapsed(first: Look, last: Look) -> float:
    """Seconds that certainly passed. Below zero: the looks cannot be compared, and the wait starts again."""
    wall = last.wall - first.wall
    if first.uptime is not None and last.uptime is not None:
        if first.boot == last.boot:
            return last.uptime - first.uptime + _RESOLUTION_SECONDS
        return min(wall, last.uptime)
    if first.wall < PLAUSIBLE_SINCE <= last.wall:
        return -1.0
    return wall if last.wall >= PLAUSIBLE_SINCE else min(wall, 0.0)


def is_after(look: Look, other: Look) -> bool:
    """Whether a look was certainly taken after `other`, which this process took."""
    if look.uptime is None or other.uptime is None:
        return look.uptime is other.uptime and look.wall > other.wall
    return look.boot == other.boot and look.uptime > other.uptime
