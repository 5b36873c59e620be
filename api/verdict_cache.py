"""The verdicts on all records at this moment, kept while nothing that they rest on changes. For one event loop.

`generation` counts up whenever a verdict may have changed: it belongs in the tag of every answer that carries one.
"""

from engine.core.state.intervals import Freshness
from engine.core.state.record_verdict import Verdicts, basis_of
from engine.core.state.status import Status


class VerdictCache:
    """What is known of every record."""

    def __init__(self) -> None:
        self.generation = 0
        self._basis: object = None
        self._verdicts: Verdicts | None = None

    def verdicts(self, status: Status, now: float, freshness: Freshness) -> Verdicts:
        """The verdicts as of `now` (Unix seconds); the very same object while nothing has changed."""
        basis = basis_of(status, now, freshness)
        if self._verdicts is None or basis != self._basis:
            self._verdicts = Verdicts(status, now, freshness)
            self.generation += 1
        self._basis = basis  # also where it is equal: it is compared by identity next time
        return self._verdicts
