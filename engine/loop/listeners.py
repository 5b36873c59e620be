"""Protocols of the listeners of the running engine."""

from typing import Protocol

from engine.core.home.snapshot import Snapshot
from engine.core.state.report import Report
from engine.errors import SourceError


class HomeListener(Protocol):
    """Receives the informer's findings. Calls return at once: their consequences run elsewhere."""

    def on_connected(self) -> None:
        """The source answers; a full read follows."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """The newest snapshot of Home Assistant."""

    def on_confirmed(self, at: float) -> None:
        """The newest snapshot is still true at `at`, Unix seconds."""

    def on_disconnected(self, error: SourceError) -> None:
        """Home Assistant is lost: its state is unknown from now on."""


class PassListener(Protocol):
    """Receives the results of passes. Calls return at once."""

    def on_report(self, report: Report) -> None:
        """A pass ended."""

    def on_waiting(self, at: float) -> None:
        """A read of Home Assistant at `at` (Unix seconds, by the engine's clock) would confirm the missing records."""
