"""Limits the message rate of one connection, so that a home which floods us does not delay the others.

Further messages wait in the sockets, and Home Assistant drops a client with too many of them waiting: that home is then
read in full, which costs less than its flood.
"""

from collections.abc import Callable

import anyio

_BURST_SECONDS = 10.0  # of the allowed rate, in one burst: a starting home sends thousands of entity events


class Throttle:
    """Allows so many messages per second, and bursts worth ten seconds. None means no limit."""

    def __init__(
        self, messages_per_second_max: float | None, clock: Callable[[], float] = anyio.current_time
    ) -> None:
        """Start with a whole burst allowed."""
        self._rate = messages_per_second_max
        self._clock = clock
        self._at = 0.0  # when the rate allows all messages taken so far

    def wait_after(self, messages: int) -> float:
        """Seconds to wait after these messages."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        self._at = max(self._at, now - _BURST_SECONDS) + messages / self._rate
        return max(0.0, self._at - now)
