"""How long to wait before trying again: longer each time, with a random spread, and short again after a success."""

from collections.abc import Callable

from engine.core.state.report import Report

# The longest wait for a store that was away or busy, unless the store requests more.
_STORE_SECONDS_MAX = 30.0


class Backoff:
    """Delays in seconds: doubling from `seconds_min` to `seconds_max`, each drawn from its upper half.

    `draw` returns a number from 0 to 1. Drawn, so that many clients of one server that restarted do not all
    return in the same instant.
    """

    def __init__(self, seconds_min: float, seconds_max: float, draw: Callable[[], float]) -> None:
        self._seconds_min = seconds_min
        self._seconds_max = seconds_max
        self._draw = draw
        self._attempts = 0

    def next_delay_within(self, seconds_max: float) -> float:
        """The wait before the next attempt, seconds, of which none is longer than `seconds_max`."""
        # Bounded before it is doubled: 2 ** 2000 is no float.
        ceiling = min(self._seconds_max, seconds_max, self._seconds_min * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return float(ceiling) * (0.5 + self._draw() / 2)

    def next_delay_for_store(self, *, is_transient: bool, asked_seconds: float) -> float:
        """The wait before a store that failed is used again, seconds; `asked_seconds` is what it requested.

        A store that is back is to be used at once; what needs a change is not mended by asking.
        """
        longest = _STORE_SECONDS_MAX if is_transient else self._seconds_max
        return max(self.next_delay_within(longest), min(asked_seconds, self._seconds_max))

    def wait_after(self, report: Report, asked_seconds: float) -> float | None:
        """The wait before a pass with this report is retried, seconds; None when it did not fail, which resets the delays.

        `asked_seconds` is the wait that the store requested.
        """
        if not report.errors:
            self.reset()
            return None
        is_transient = all(error.transient for error in report.errors)
        return self.next_delay_for_store(is_transient=is_transient, asked_seconds=asked_seconds)

    def longest_delay(self) -> float:
        """The wait after an error that trying again does not mend, seconds."""
        return self._seconds_max * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """Begin with the shortest delay again, because something succeeded."""
        self._attempts = 0
