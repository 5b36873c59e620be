"""The intervals of the running engine: the settings section `loop`."""

from typing import Annotated

import msgspec
from msgspec import Meta

# Two intervals, so that one late pass raises no alarm.
_STALE_INTERVALS = 2.0
# A watermark moves with each heartbeat; a late one, or one that waits for a full read, must not raise an alarm.
_HEARTBEATS_MISSED_MAX = 3.0
# The engine reads an announced change within milliseconds, unless Home Assistant is busy.
_UNREAD_SECONDS = 2.0


class Freshness(msgspec.Struct, frozen=True):
    """How old knowledge may be and still count, in seconds, by its kind."""

    stale_seconds: float  # the read of Home Assistant that a replica was last compared with
    unknown_seconds: float  # the watermark of a replica that was found equal
    unverified_seconds: float = float("inf")  # the last full look at a replica
    # A change that Home Assistant announced and the engine has not read.
    unread_seconds: float = _UNREAD_SECONDS


# For a single moment, when nothing ages.
AGELESS = Freshness(stale_seconds=float("inf"), unknown_seconds=float("inf"), unread_seconds=float("inf"))


class Intervals(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The waits and intervals of a service, in seconds."""

    relist_seconds: Annotated[
        float,
        Meta(
            description="seconds between full reads of Home Assistant, unless something else causes one", ge=1
        ),
    ] = 600.0
    verify_seconds: Annotated[
        float,
        Meta(description="seconds between passes that read every replica in full, trusting nothing", ge=1),
    ] = 300.0
    jitter_ratio: Annotated[
        float,
        Meta(
            description="share by which each wait for a full read or a verifying pass is longer or shorter, so that "
            "homes which started together do not work together; 0.3 for each of many homes",
            ge=0,
            le=0.5,
        ),
    ] = 0.1
    heartbeat_seconds: Annotated[float, Meta(description="heartbeat interval, seconds", ge=1, le=60)] = 10.0
    unknown_seconds: Annotated[
        float,
        Meta(
            description="age of the watermark in seconds from which on a replica is unknown and no longer in sync; "
            "at least three heartbeat intervals are waited",
            ge=1,
            le=3600,
        ),
    ] = 60.0
    coalesce_seconds: Annotated[
        float,
        Meta(
            description="seconds to gather changes after one was written; the first is written at once",
            ge=0,
            le=60,
        ),
    ] = 0.2
    watch_seconds: Annotated[
        float,
        Meta(
            description="interval of checks for writes of other programs to a store, seconds", ge=0.05, le=60
        ),
    ] = 0.5
    poll_seconds: Annotated[
        float,
        Meta(description="polling interval of a source that sends no events (files), seconds", ge=0.1),
    ] = 5.0
    retry_seconds_min: Annotated[
        float,
        Meta(description="seconds before the first new attempt after a failure; doubled each time", ge=0.1),
    ] = 1.0
    retry_seconds_max: Annotated[
        float,
        Meta(
            description="longest wait between attempts to write to a store; also the wait after a refused token",
            ge=1,
        ),
    ] = 300.0
    reconnect_seconds_max: Annotated[
        float,
        Meta(
            description="longest wait between attempts to reach Home Assistant, unless it refused the token",
            ge=0.1,
            le=60,
        ),
    ] = 10.0

    def jittered(self, seconds: float, draw: float) -> float:
        """A wait of about `seconds`, with jitter; `draw` is from 0 to 1."""
        return seconds * (1.0 - self.jitter_ratio + 2.0 * self.jitter_ratio * draw)

    def verify_wait(self, draw: float) -> float:
        """The wait from one full look at a replica to the next; `draw` is from 0 to 1."""
        return self.jittered(self.verify_seconds, draw)

    @property
    def freshness(self) -> Freshness:
        """How old knowledge may be with these intervals; a healthy service stays far below."""
        unknown_seconds = max(self.unknown_seconds, _HEARTBEATS_MISSED_MAX * self.heartbeat_seconds)
        return Freshness(
            stale_seconds=_STALE_INTERVALS * max(self.verify_seconds, self.relist_seconds),
            unknown_seconds=unknown_seconds,
            unverified_seconds=self.verify_wait(1.0) + unknown_seconds,
        )
