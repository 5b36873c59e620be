"""Caches the current verdicts on all records until their inputs change. For one event loop.

`generation` increases whenever a verdict may have changed: it belongs in the tag of every answer with a verdict.
"""

from engine.core.state.intervals import Freshness
from engine.core.state.record_verdict import Verdicts, basis_of
from engine.core.state.status import Status


class VerdictCache:
    """The current verdicts on all records."""

    def __init__(self) -> None:
        self.generation = 0
        self._basis: object = None
        self._verdicts: Verdicts | None = None

    def verdicts(self, status: Status, now: float, freshness: Freshness) -> Verdicts:
        """The verdicts at `now` (Unix seconds); the same object while nothing has changed."""
        basis = basis_of(status, now, freshness)
        if self._verdicts is None or basis != self._basis:
            self._verdicts = Verdicts(status, now, freshness)
            self.generation += 1
        self._basis = basis  # even if equal: the next comparison is by identity
        return self._verdicts
