"""Backoff: delays before retries that grow with each attempt, have random jitter, and start over after a success."""

from collections.abc import Callable

from engine.core.state.report import Report

# The longest wait for a store that was unreachable or busy, unless the store requests more.
_STORE_SECONDS_MAX = 30.0


class Backoff:
    """Delays in seconds: doubling from `seconds_min` to `seconds_max`, each drawn from its upper half.

    `draw` returns a number from 0 to 1. The jitter keeps many clients of one restarted server from all
    returning at the same moment.
    """

    def __init__(self, seconds_min: float, seconds_max: float, draw: Callable[[], float]) -> None:
        self._seconds_min = seconds_min
        self._seconds_max = seconds_max
        self._draw = draw
        self._attempts = 0

    def next_delay_within(self, seconds_max: float) -> float:
        """The wait before the next attempt, seconds, never longer than `seconds_max`."""
        # Bounded before it is doubled: 2 ** 2000 is too large for a float.
        ceiling = min(self._seconds_max, seconds_max, self._seconds_min * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return float(ceiling) * (0.5 + self._draw() / 2)

    def next_delay_for_store(self, *, is_transient: bool, asked_seconds: float) -> float:
        """The wait before a store that failed is used again, seconds; `asked_seconds` is what it requested.

        A store that is reachable again is used at once; an error that needs a change is not fixed by retrying.
        """
        longest = _STORE_SECONDS_MAX if is_transient else self._seconds_max
        return max(self.next_delay_within(longest), min(asked_seconds, self._seconds_max))

    def wait_after(self, report: Report, asked_seconds: float) -> float | None:
        """The wait before a pass with this report is retried, seconds; None if it succeeded, which resets the delays.

        `asked_seconds` is the wait that the store requested.
        """
        if not report.errors:
            self.reset()
            return None
        is_transient = all(error.transient for error in report.errors)
        return self.next_delay_for_store(is_transient=is_transient, asked_seconds=asked_seconds)

    def longest_delay(self) -> float:
        """The wait after an error that retrying does not fix, seconds."""
        return self._seconds_max * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """Start with the shortest delay again, after a success."""
        self._attempts = 0
