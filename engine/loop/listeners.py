"""Who receives what the running engine finds, as contracts."""

from typing import Protocol

from engine.core.home.snapshot import Snapshot
from engine.core.state.report import Report
from engine.errors import SourceError


class HomeListener(Protocol):
    """Receives what the informer finds. Calls return at once: what follows from them is done elsewhere."""

    def on_connected(self) -> None:
        """The source answers; a full read follows."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """This is how Home Assistant is now."""

    def on_confirmed(self, at: float) -> None:
        """The newest snapshot is still true at `at`, Unix seconds."""

    def on_disconnected(self, error: SourceError) -> None:
        """Nothing is known from now on."""


class PassListener(Protocol):
    """Receives what the passes find. Calls return at once."""

    def on_report(self, report: Report) -> None:
        """A pass ended."""

    def on_waiting(self, at: float) -> None:
        """A read of Home Assistant at `at` (Unix seconds, by the engine's clock) would confirm what is missing."""
