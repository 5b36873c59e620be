"""How often the running engine does what. The settings section `loop`."""

from typing import Annotated

import msgspec
from msgspec import Meta

# Two intervals: one that is late is no alarm.
_STALE_INTERVALS = 2.0


class Pace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All in seconds."""

    relist_seconds: Annotated[
        float,
        Meta(
            description="seconds between full reads of Home Assistant, when nothing else asks for one", ge=1
        ),
    ] = 600.0
    verify_seconds: Annotated[
        float,
        Meta(description="seconds between passes that read every replica in full, trusting nothing", ge=1),
    ] = 300.0
    heartbeat_seconds: Annotated[
        float, Meta(description="seconds between questions whether Home Assistant still answers", ge=1, le=60)
    ] = 10.0
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
        Meta(description="seconds between looks whether somebody else wrote to a store", ge=0.05, le=60),
    ] = 0.5
    poll_seconds: Annotated[
        float,
        Meta(description="seconds between looks at a source that tells nothing by itself (files)", ge=0.1),
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

    @property
    def stale_seconds(self) -> float:
        """What was not compared for longer is unknown."""
        return _STALE_INTERVALS * max(self.verify_seconds, self.relist_seconds)
