"""One home among many: starts it, supervises it and restarts it, so that its failures affect no other home.

Its mirror runs in its own task, whose outcome is checked like a child process's: an exception only becomes this home's
state.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec

from api.app_context import AppContext
from api.ports import ReadTransaction
from api.sites.ports import SiteView, Stage
from engine.composition.mirror import Mirror, MirrorListener, open_mirror
from engine.composition.resources import Resources
from engine.core.state.backoff import Backoff
from engine.core.state.intervals import AGELESS
from engine.core.words import Mode
from engine.errors import EngineError
from engine.files.modes import make_folder
from engine.sites.files import SiteFile

T = TypeVar("T")

_RETRY_SECONDS_MIN, _RETRY_SECONDS_MAX = 1.0, 60.0
_FAILURES_MAX, _FAILURES_SECONDS = 5, 600.0
_IDLE_SECONDS = 300.0
_AWAKE_SECONDS = 1.0
_LOOK_SECONDS = 0.01


class SiteDependencies(msgspec.Struct, frozen=True):
    """The dependencies of a home."""

    mode: Mode
    clock: Callable[[], float]
    draw: Callable[[], float]
    resources: Callable[[SiteFile], Resources]  # created for each start
    listeners: Callable[[Mirror], tuple[MirrorListener, ...]]
    why_wait: Callable[[], str | None]  # returns the reason why no further home may start now
    on_failed: Callable[[str, str, BaseException], None]  # home, reason, error


class Site:
    """One home. `update` may be called at any time."""

    def __init__(self, file: SiteFile, dependencies: SiteDependencies, *, is_paused: bool) -> None:
        """Starts nothing yet."""
        self.name = file.name
        self.file = file
        self.is_paused = is_paused
        self.stage = Stage.WAITING
        self.mirror: Mirror | None = None
        self._reason: str | None = None
        self._file_error: EngineError | None = None
        self._surroundings = dependencies
        self._failures = deque[float](maxlen=_FAILURES_MAX)
        self._changed = anyio.Event()
        self._asked = anyio.Event()
        self._asked_at = 0.0

    def update(self, file: SiteFile, *, is_paused: bool) -> None:
        """Use this file from now on. While it is broken, a running home keeps its earlier settings."""
        is_same = file.signature == self.file.signature and is_paused == self.is_paused
        self._file_error = file.error
        if (is_same and (file.error is None) == (self.file.error is None)) or (
            file.error is not None and self.mirror is not None and not is_paused
        ):
            return
        self.file, self.is_paused = file, is_paused
        self._failures.clear()
        self._changed.set()

    def view(self) -> SiteView:
        """The home's current state for the API."""
        site = self.file.loaded.settings.site if self.file.loaded else None
        mirror = self.mirror
        return SiteView(
            name=self.name,
            label=site.label if site else "",
            tags=site.tags if site else (),
            stage=self.stage,
            reason=str(self._file_error) if self._file_error else self._reason,
            status=mirror.status() if mirror else None,
            freshness=mirror.freshness if mirror else AGELESS,
        )

    def records(self) -> Mapping[str, int]:
        """The number of records by registry in the last read; empty before the first."""
        return self.mirror.records() if self.mirror else {}

    async def open(self) -> AppContext | None:
        """The context from which the API answers about the home; starts what readers need. None while it is not kept."""
        mirror = self.mirror
        if mirror is None:
            return None
        self._asked_at = anyio.current_time()
        if not self._asked.is_set():
            self._asked.set()
            with anyio.move_on_after(_AWAKE_SECONDS):
                while not mirror.feed.is_readable:  # noqa: ASYNC110 (the feed has no event to wait for)
                    await anyio.sleep(_LOOK_SECONDS)
        return mirror.context

    async def read(self, job: Callable[[ReadTransaction], T]) -> T | None:
        """The result of a job on the rows; None while the home is not kept. Raises ReplicaError."""
        mirror = self.mirror
        if mirror is None:
            return None
        try:
            return await mirror.rows_reader.read(job)
        finally:
            if not self._asked.is_set():
                await mirror.rows_reader.rest()

    async def run(self) -> None:
        """Keep the home until cancelled."""
        backoff = Backoff(_RETRY_SECONDS_MIN, _RETRY_SECONDS_MAX, self._surroundings.draw)
        while True:
            self._changed = anyio.Event()
            if self.is_paused:  # even with a broken file, which does not matter while paused
                self._stand(Stage.PAUSED, "paused with `reconcile site pause`")
                await self._changed.wait()
            elif self.file.error is not None:
                self._stand(Stage.INVALID, str(self.file.error))
                await self._changed.wait()
            elif (reason := self._surroundings.why_wait()) is not None:
                self._stand(Stage.WAITING, reason)
                await self._wait(_RETRY_SECONDS_MIN * 5)
            else:
                error = await self._outcome()
                if error is not None:
                    await self._stand_failed(error, backoff)

    async def _outcome(self) -> BaseException | None:
        """Keep the home until its settings change; returns its exception, if any."""
        self._stand(Stage.WAITING, None)
        task = asyncio.ensure_future(self._keep())
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({task, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({task, changed})
            self.mirror = None
        return None if task.cancelled() else task.exception()

    async def _keep(self) -> None:
        loaded = self.file.loaded
        assert loaded is not None, "only a home with settings is kept"
        about = self._surroundings
        resources = about.resources(self.file)
        form, _, history = loaded.settings.records.uri.partition(":")
        stores = (loaded.settings.rows.file, *([history] if form == "history" else []))
        await resources.files(partial(_make_folders, dict.fromkeys(Path(store).parent for store in stores)))
        async with open_mirror(loaded, mode=about.mode, clock=about.clock, resources=resources) as mirror:
            for listener in about.listeners(mirror):
                mirror.listen(listener)
            self._asked = anyio.Event()
            self.mirror = mirror
            self._stand(Stage.KEPT, None)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(mirror.run)
                    tasks.start_soon(self._read_when_asked, mirror)
            finally:
                mirror.feed.close()

    async def _read_when_asked(self, mirror: Mirror) -> None:
        """Start what only readers need at the first request, so that an unread home costs nothing."""
        while True:
            await self._asked.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(mirror.feed.run)
                tasks.start_soon(mirror.run_activity)
                while anyio.current_time() < self._asked_at + _IDLE_SECONDS or mirror.feed.streams:  # noqa: ASYNC110
                    await anyio.sleep(_IDLE_SECONDS / 10)
                tasks.cancel_scope.cancel()
            mirror.feed.is_readable = False
            await mirror.rows_reader.rest()
            self._asked = anyio.Event()

    async def _stand_failed(self, error: BaseException, backoff: Backoff) -> None:
        cause = _cause(error)
        if isinstance(cause, EngineError):
            # An expected fault that may pass: another service has locked the stores, or a folder is missing.
            self._stand(Stage.WAITING, str(cause))
            self._surroundings.on_failed(self.name, str(cause), cause)
            await self._wait(backoff.longest_delay())
            return
        now = anyio.current_time()
        self._failures.append(now)
        text = f"its code raised {type(cause).__name__}: {cause}"
        self._surroundings.on_failed(self.name, text, cause)
        if len(self._failures) == _FAILURES_MAX and now - self._failures[0] < _FAILURES_SECONDS:
            self._stand(Stage.FAILED, f"{text}; it is not restarted until its file changes")
            await self._changed.wait()
        else:
            self._stand(Stage.WAITING, text)
            await self._wait(backoff.next_delay_within(_RETRY_SECONDS_MAX))

    def _stand(self, stage: Stage, reason: str | None) -> None:
        self.stage, self._reason = stage, reason

    async def _wait(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._changed.wait()


def _make_folders(folders: Iterable[Path]) -> None:
    for folder in folders:
        make_folder(folder)


def _cause(error: BaseException) -> BaseException:
    """The first error within nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
