"""The mirror of one home: its stores, the engine that follows it, and what the API answers about it.

A process may keep many. Nothing here is shared between them, and nothing is bound to how the API is reached.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio

from api.activity import Trail
from api.changes.feed import ChangeFeed
from api.given import Given
from engine.core.state.report import Report
from engine.core.state.status import SourceStatus, Status
from engine.core.words import Mode
from engine.ports import Records
from engine.replicas.rows.inventory import SqliteInventory
from engine.run import Clock, Stores, check_folders, make_service, open_past, open_stores
from engine.settings import LoadedSettings
from engine.settings_text import browser_address
from engine.store_lock import HeldStore, hold_store

_STATUS_SECONDS = 1.0


class MirrorListener(Protocol):
    """Receives what happens in one home. Calls return at once."""

    def on_report(self, report: Report) -> None:
        """A pass ended."""

    def on_source(self, what: str, source: SourceStatus) -> None:
        """Home Assistant was read (`read`), or was lost (the error's class name)."""

    def on_status(self, status: Status, now: float) -> None:
        """The status at this moment; called often."""

    def on_held_log(self, replica: str, held_bytes: int) -> None:
        """How much of a replica's log others hold; called often."""


class Mirror:
    """The mirror of one home. Made by `open_mirror`."""

    def __init__(
        self, loaded: LoadedSettings, stores: Stores, past: Records | None, *, mode: Mode, clock: Clock
    ) -> None:
        """Nothing runs yet. `past` is the records replica, to be read only."""
        settings = loaded.settings
        self.name = settings.site.name
        self.replicas = tuple(replica.name for replica in stores.replicas)
        self.freshness = settings.loop.freshness
        self.clock = clock
        self.held_logs: Mapping[str, Callable[[], int]] = _held_logs(stores)
        self.growth = stores.records.growth if stores.records else lambda: None
        self._rows = Path(settings.rows.file)
        self._records_uri = settings.records.uri
        self._listeners: list[MirrorListener] = []
        self._service = make_service(
            loaded, stores, mode=mode, on_report=self._on_report, on_source=self._on_source, clock=clock
        )
        self.inventory = SqliteInventory(self._rows)
        self.feed = ChangeFeed(self.inventory)
        self.trail = Trail()
        self.given = Given(
            status=self.status,
            clock=clock,
            inventory=self.inventory,
            feed=self.feed,
            freshness=self.freshness,
            timeline=past,
            home_assistant_url=browser_address(settings.source),
            trail=self.trail,
        )

    def listen(self, listener: MirrorListener) -> None:
        """Tell this one, too."""
        self._listeners.append(listener)

    def status(self) -> Status:
        """The home at this moment."""
        return self._service.status()

    def file_sizes(self) -> dict[str, int]:
        """How large the files of the stores are, bytes by file."""
        named = {"db": self._rows}
        scheme, _, history = self._records_uri.partition(":")
        if scheme == "history":
            named["history"] = Path(history)
        sizes = {}
        for name, path in named.items():
            real = Path(os.path.realpath(path))  # SQLite keeps the log beside what a link leads to
            sizes[name] = _size(real)
            sizes["wal" if name == "db" else f"{name}-wal"] = _size(real.with_name(f"{real.name}-wal"))
        return sizes

    async def run(self) -> None:
        """Keep the stores equal to the home until cancelled; the change feed runs elsewhere."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._service.run)
            tasks.start_soon(self.trail.run, self.status, self.inventory, self.clock)
            tasks.start_soon(self._watch)

    def _on_report(self, report: Report) -> None:
        self.trail.on_pass(report, self.clock())
        status = self.status()
        for listener in self._listeners:
            listener.on_report(report)
            listener.on_status(status, self.clock())
        self.feed.notify()

    def _on_source(self, what: str) -> None:
        status = self.status()
        for listener in self._listeners:
            listener.on_source(what, status.source)
            listener.on_status(status, self.clock())

    async def _watch(self) -> None:
        """Tell of a status that changes because time passes, and of a log that others hold."""
        while True:
            status, now = self.status(), self.clock()
            for listener in self._listeners:
                listener.on_status(status, now)
                for replica, held_bytes in self.held_logs.items():
                    listener.on_held_log(replica, held_bytes())
            await anyio.sleep(_STATUS_SECONDS)


class _FollowedStore:
    """Holds the rows file that stands at the path after each pass."""

    def __init__(self, held: HeldStore) -> None:
        self._held = held

    def on_report(self, _report: Report) -> None:
        self._held.follow()

    def on_source(self, what: str, source: SourceStatus) -> None:
        """Nothing follows from it."""

    def on_status(self, status: Status, now: float) -> None:
        """Nothing follows from it."""

    def on_held_log(self, replica: str, held_bytes: int) -> None:
        """Nothing follows from it."""


@asynccontextmanager
async def open_mirror(
    loaded: LoadedSettings, *, mode: Mode, clock: Clock = time.time
) -> AsyncIterator[Mirror]:
    """Hold the stores and open them while the block runs. `mode` is `apply` or `observe`.

    Raises SettingsError, and StoreHeld when another service keeps the stores.
    """
    check_folders(loaded.settings)
    with (
        hold_store(Path(loaded.settings.rows.file)) as held,
        open_stores(loaded, clock=clock) as stores,
        _closing(open_past(loaded)) as past,
    ):
        mirror = Mirror(loaded, stores, past, mode=mode, clock=clock)
        mirror.listen(_FollowedStore(held))
        try:
            yield mirror
        finally:
            with anyio.CancelScope(shield=True):
                await mirror.inventory.aclose()


def _closing(past: Records | None) -> "closing[Records] | nullcontext[None]":
    return nullcontext(None) if past is None else closing(past)


def _held_logs(stores: Stores) -> dict[str, Callable[[], int]]:
    """What asks how much of a replica's log others hold, by replica."""
    kept = [replica for replica in stores.replicas if replica.needs_tidying]
    return {replica.name: partial(getattr, replica, "held_log_bytes") for replica in kept}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
