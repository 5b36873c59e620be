"""A bound on how fast the messages of one connection are taken, so that a home which floods does not keep others waiting.

What is not taken stays in the sockets, and Home Assistant drops a client for which too much waits: that home is read in
full then, which costs less than its flood.
"""

from collections.abc import Callable

import anyio

_BURST_SECONDS = (
    10.0  # of the allowed rate, in one burst: a home that starts sends thousands of entity events
)


class Throttle:
    """Lets so many messages through each second, and bursts of those of ten seconds. None is no bound."""

    def __init__(
        self, messages_per_second_max: float | None, clock: Callable[[], float] = anyio.current_time
    ) -> None:
        """All of a burst is allowed."""
        self._rate = messages_per_second_max
        self._clock = clock
        self._at = 0.0  # by when all that was taken is allowed

    def wait_after(self, messages: int) -> float:
        """How long to wait after these, seconds."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        self._at = max(self._at, now - _BURST_SECONDS) + messages / self._rate
        return max(0.0, self._at - now)
