"""The mirror of one home: its stores, the engine that follows it, and the API's view of it.

A process may keep many. They share nothing here, and nothing depends on the API's address.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio
import msgspec

from api.activity import Activity
from api.app_context import AppContext
from api.changes.feed import ChangeFeed
from api.past import recorded_delays
from engine.composition.follow import make_service
from engine.composition.resources import Resources
from engine.composition.sources import load_adapter, stored_scopes
from engine.composition.stores import Clock, Stores, check_folders, open_past, open_stores
from engine.core.state.kept_past import Growth
from engine.core.state.report import Report
from engine.core.state.status import SourceStatus, Status
from engine.core.words import Mode
from engine.errors import ReplicaError
from engine.files.store_lock import HeldStore, hold_store
from engine.ports import Records
from engine.process.clock import ProcessClock
from engine.replicas.rows.queries.in_memory import rows_in_memory
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.settings.sections import LoadedSettings
from engine.settings.text import browser_address


class MirrorListener(Protocol):
    """Receives the events of one home. Calls return at once."""

    def on_report(self, report: Report) -> None:
        """A pass ended."""

    def on_source(self, what: str, source: SourceStatus) -> None:
        """Home Assistant was read (`read`), or was lost (the error's class name)."""

    def on_status(self, status: Status, now: float) -> None:
        """The status at `now` (Unix seconds); called often."""

    def on_growth(self, growth: Growth | None, now: float) -> None:
        """The growth of the records store and what it forgot; called often."""

    def on_held_log(self, replica: str, held_bytes: int) -> None:
        """How many bytes of a replica's log other programs hold; called often."""


class Mirror:
    """The mirror of one home. Made by `open_mirror`."""

    def __init__(  # noqa: PLR0913 (by keyword)
        self,
        loaded: LoadedSettings,
        stores: Stores,
        past: Records | None,
        held: HeldStore,
        *,
        mode: Mode,
        clock: Clock,
        resources: Resources,
    ) -> None:
        """Starts nothing. `past` is the records replica, for reading only."""
        settings = loaded.settings
        self.name = settings.site.name
        self.replicas = tuple(replica.name for replica in stores.replicas)
        self.freshness = settings.loop.freshness
        self.clock = clock
        self.held_logs: Mapping[str, Callable[[], int]] = _held_logs(stores)
        self.growth = stores.records.growth if stores.records else lambda: None
        self._rows = Path(settings.rows.file)
        self._records_uri = settings.records.uri
        self._home_assistant_url = browser_address(settings.source)
        self._listeners: list[MirrorListener] = []
        self._service = make_service(
            loaded,
            stores,
            mode=mode,
            on_report=self._on_report,
            on_source=self._on_source,
            clock=clock,
            resources=resources,
        )
        self._status_seconds = resources.status_seconds
        self._held = held
        self._files = resources.files
        self._passed = anyio.Event()
        self.rows_reader = SqliteRowsReader(
            self._rows, readers=resources.readers, cache_kib=settings.rows.cache_kib
        )
        self.feed = ChangeFeed(self.rows_reader)
        self.activity = Activity()
        self.context = self._given(past, resources)
        self._files_read = [store for store in (*stores.replicas, past) if store and store.needs_tidying]

    def listen(self, listener: MirrorListener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def _given(self, past: Records | None, resources: Resources) -> AppContext:
        return AppContext(
            status=self.status,
            clock=self.clock,
            rows_reader=self.rows_reader,
            feed=self.feed,
            freshness=self.freshness,
            timeline=past,
            past_replica=past.name if past is not None else None,
            make_rows=rows_in_memory,
            home_assistant_url=self._home_assistant_url,
            activity=self.activity,
            up=resources.up,
        )

    def status(self) -> Status:
        """The home's status now."""
        return self._service.status()

    def records(self) -> Mapping[str, int]:
        """The number of records in the last read by registry; empty before the first."""
        return self._service.records

    def file_sizes(self) -> dict[str, int]:
        """The sizes of the stores' files, bytes by file."""
        named = {"db": self._rows}
        scheme, _, history = self._records_uri.partition(":")
        if scheme == "history":
            named["history"] = Path(history)
        sizes = {}
        for name, path in named.items():
            real = Path(os.path.realpath(path))  # SQLite keeps the log beside a link's target
            sizes[name] = _size(real)
            sizes["wal" if name == "db" else f"{name}-wal"] = _size(real.with_name(f"{real.name}-wal"))
        return sizes

    async def run(self) -> None:
        """Keep the stores equal to the home until cancelled. Tasks that only readers need run separately."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._service.run)
            tasks.start_soon(self._watch)
            tasks.start_soon(self._hold_store)

    async def forget_pages(self) -> None:
        """Free SQLite's page caches on all connections: the system caches the files too."""
        for store in self._files_read:
            with suppress(ReplicaError):  # the next pass reports it
                await self._files(store.forget_pages)
        with suppress(ReplicaError):
            await self.rows_reader.forget_pages()

    async def run_activity(self) -> None:
        """Record the last day's activity for the page until cancelled."""
        recorded = partial(recorded_delays, self.context)
        await self.activity.run(self.status, self.rows_reader, self.clock, recorded)

    def _on_report(self, report: Report) -> None:
        self._passed.set()
        self.activity.on_pass(report, self.clock())
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

    async def _hold_store(self) -> None:
        """After each pass, make sure that we hold the lock of the rows file at the path."""
        while True:
            await self._passed.wait()
            self._passed = anyio.Event()
            if not self._held.is_followed():
                await self._files(self._held.follow)

    async def _watch(self) -> None:
        """Report status changes that only time causes, and logs that other programs hold."""
        while True:
            status, now = self.status(), self.clock()
            for listener in self._listeners:
                listener.on_status(status, now)
                listener.on_growth(self.growth(), now)
                for replica, held_bytes in self.held_logs.items():
                    listener.on_held_log(replica, held_bytes())
            await anyio.sleep(self._status_seconds)


@asynccontextmanager
async def open_mirror(
    loaded: LoadedSettings,
    *,
    mode: Mode,
    clock: Clock = time.time,
    resources: Resources = Resources(),  # noqa: B008 (immutable)
) -> AsyncIterator[Mirror]:
    """Lock and open the stores while the block runs. `mode` is `apply` or `observe`.

    Raises SettingsError, and StoreHeld when another service keeps the stores.
    """
    # In threads, so that a hanging disk does not delay other homes.
    with ExitStack() as opened:
        try:
            held, stores, past, resources = await resources.files(
                partial(_open, opened, loaded, clock, resources)
            )
            mirror = Mirror(loaded, stores, past, held, mode=mode, clock=clock, resources=resources)
            try:
                yield mirror
            finally:
                with anyio.CancelScope(shield=True):
                    await mirror.rows_reader.aclose()
        finally:
            with anyio.CancelScope(shield=True):
                await resources.files(opened.close)


def _open(
    opened: ExitStack, loaded: LoadedSettings, clock: Clock, resources: Resources
) -> tuple[HeldStore, Stores, Records | None, Resources]:
    """Everything that waits for a disk: opening and loading the stores, and reading what the source and the clock need."""
    check_folders(loaded.settings)
    load_adapter(loaded.settings)
    held = opened.enter_context(hold_store(Path(loaded.settings.rows.file)))
    stores = opened.enter_context(open_stores(loaded, clock=clock, claim=resources.claim))
    past = opened.enter_context(_closing(open_past(loaded)))
    known = msgspec.structs.replace(
        resources, category_scopes=stored_scopes(stores), times=ProcessClock(clock)
    )
    return held, stores, past, known


def _closing(past: Records | None) -> "closing[Records] | nullcontext[None]":
    return nullcontext(None) if past is None else closing(past)


def _held_logs(stores: Stores) -> dict[str, Callable[[], int]]:
    """Functions that return how many bytes of a replica's log other programs hold, by replica."""
    kept = [replica for replica in stores.replicas if replica.needs_tidying]
    return {replica.name: partial(getattr, replica, "held_log_bytes") for replica in kept}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
