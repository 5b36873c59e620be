"""The homes of one process: read from their folder, started, stopped, and seen as one for the API and the metrics."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from api.app_context import AppContext
from api.ports import ReadTransaction
from api.sites.ports import SiteChange, SiteView
from engine.composition.mirror import Mirror, MirrorListener
from engine.composition.resources import Resources
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.errors import SettingsError, SourceRefused
from engine.ports import Source
from engine.settings.secrets import read_secret
from engine.settings.sites import SitesSettings
from engine.sites.concurrency_limiter import ConcurrencyLimiter, LimitedSource
from engine.sites.files import SiteFile, SiteFiles, check_plain
from engine.sites.followed import FollowedChanges
from engine.sites.limits import resident_bytes, share_of_group
from engine.sites.metrics import render_site
from engine.sites.pauses import is_paused
from engine.sites.site import Site, SiteDependencies
from engine.sites.threads import Threads

_RELOAD_SECONDS = 2.0
_STATUS_SECONDS = 5.0
_READERS = 4
# Of one home; a busy one of 1,300 entities changes its registries a few times a minute.
_MESSAGES_PER_SECOND_MAX = 100.0
_MIB = 1024 * 1024

T = TypeVar("T")
Listeners = Callable[[str, Mirror], tuple[MirrorListener, ...]]
_logger = logging.getLogger("reconcile")


class _SiteOnDisk(NamedTuple):
    """What the disk says of one home."""

    file: SiteFile
    is_paused: bool
    token: str | None


class Fleet:
    """All homes. `listeners` are made for each home; `on_failed` receives what a home's code raised."""

    def __init__(
        self,
        files: SiteFiles,
        settings: SitesSettings,
        *,
        mode: Mode,
        clock: Callable[[], float],
        listeners: Listeners,
        on_failed: Callable[[str, str, BaseException], None],
    ) -> None:
        """Make it inside the event loop. Nothing is read yet."""
        self._files = files
        self._settings = settings
        self._listeners = listeners
        self._decode, self._store = Threads(settings.threads_decode), Threads(settings.threads_store)
        self._remote, self._read = Threads(settings.threads_store), Threads(settings.threads_store)
        self._connecting, self._reading = (
            ConcurrencyLimiter(settings.connecting_max),
            ConcurrencyLimiter(settings.reading_max),
        )
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")
        self._memory_max = settings.memory_mib_max * _MIB or share_of_group()
        self._surroundings = SiteDependencies(
            mode=mode,
            clock=clock,
            draw=random.random,
            resources=self._resources,
            listeners=self._listeners_of,
            why_wait=self._why_wait,
            on_failed=on_failed,
        )
        self._sites: dict[str, Site] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._followers: set[FollowedChanges] = set()
        self._found: dict[str, _SiteOnDisk] = {}
        self._resident_bytes = 0
        self._is_told = False  # that the folder cannot be read
        self.is_closed = False

    async def begin(self) -> None:
        """Read the folder. Raises SettingsError when it cannot be listed."""
        self._found = await anyio.to_thread.run_sync(self._look)

    async def run(self) -> None:
        """Keep all homes until cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._take_up(tasks)
                await anyio.sleep(_RELOAD_SECONDS)
                try:
                    self._found = await anyio.to_thread.run_sync(self._look)
                    self._is_told = False
                except SettingsError as error:
                    # An unmounted folder is no reason to stop homes.
                    if not self._is_told:
                        fields = {"error": str(error)}
                        _logger.warning("the folder of homes cannot be read", extra={"fields": fields})
                    self._is_told = True

    def close(self) -> None:
        """End all streams."""
        self.is_closed = True
        for follower in self._followers:
            follower.close()
        for site in self._sites.values():
            if site.mirror is not None:
                site.mirror.feed.close()

    # What the API is given

    def views(self) -> Sequence[SiteView]:
        """All homes, by name."""
        return [self._sites[name].view() for name in sorted(self._sites)]

    def view(self, name: str) -> SiteView | None:
        """One of them."""
        site = self._sites.get(name)
        return site.view() if site else None

    def token(self, name: str) -> str | None:
        """The token that opens this home and no other."""
        found = self._found.get(name)
        return found.token if found else None

    async def open(self, name: str) -> AppContext | None:
        """What the API answers of a home; None while it is not kept."""
        site = self._sites.get(name)
        return await site.open() if site else None

    async def read(self, name: str, job: Callable[[ReadTransaction], T], /) -> T | None:
        """What a job makes of a home's rows; None while it is not kept. Raises ReplicaError."""
        site = self._sites.get(name)
        return await site.read(job) if site else None

    def metrics(self, name: str, accept: str) -> tuple[bytes, str]:
        """The series of one home."""
        return render_site(self._sites[name].view(), self._surroundings.clock(), accept)

    @contextmanager
    def follow(self) -> Iterator["FollowedChanges"]:
        """Follow the changes of all homes."""
        follower = FollowedChanges()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def on_report(self, site: str, report: Report) -> None:
        """Pass on what a pass did."""
        if not self._followers:
            return
        changes = [
            SiteChange(site, r.replica, r.registry, r.key, r.name, r.cause, r.outcome, report.run_id)
            for r in report.records
        ]
        for follower in self._followers:
            follower.put(changes)

    def _look(self) -> dict[str, "_SiteOnDisk"]:
        """What the disk says; called in a thread. Raises SettingsError when the folder cannot be listed."""
        self._resident_bytes = resident_bytes()
        return {
            name: _SiteOnDisk(file, is_paused(self._files.state_folder(name)), _http_token(file))
            for name, file in self._files.read().items()
        }

    # What homes are given

    def _resources(self, file: SiteFile) -> Resources:
        assert file.loaded is not None, "only a home with settings is started"
        token_file = file.loaded.settings.source.token_file
        return Resources(
            decode=self._decode.of_home(),
            source_files=self._read.of_home(),
            files=self._store.of_home(),
            remote=self._remote.of_home(),
            wrap=self._limited,
            token=partial(_read_token, token_file) if token_file else None,
            readers=self._readers,
            messages_per_second_max=_MESSAGES_PER_SECOND_MAX,
            up="../../",
            status_seconds=_STATUS_SECONDS,
        )

    def _limited(self, source: Source) -> Source:
        return LimitedSource(source, self._connecting, self._reading)

    def _listeners_of(self, mirror: Mirror) -> tuple[MirrorListener, ...]:
        return self._listeners(mirror.name, mirror)

    def _why_wait(self) -> str | None:
        if not self._memory_max or (used := self._resident_bytes) <= self._memory_max:
            return None
        return (
            f"the process holds {used // _MIB} MiB, above {self._memory_max // _MIB} (sites.memory_mib_max); "
            "keep fewer homes here, with sites.shard"
        )

    async def _take_up(self, tasks: anyio.abc.TaskGroup) -> None:
        for name in self._sites.keys() - self._found.keys():
            self._scopes.pop(name).cancel()
            del self._sites[name]
        for name, found in self._found.items():
            if name in self._sites:
                self._sites[name].update(found.file, is_paused=found.is_paused)
            else:
                site = self._sites[name] = Site(found.file, self._surroundings, is_paused=found.is_paused)
                scope = self._scopes[name] = anyio.CancelScope()
                tasks.start_soon(_run_within, scope, site)
            await anyio.lowlevel.checkpoint()  # a thousand files are no reason to keep others waiting


async def _run_within(scope: anyio.CancelScope, site: Site) -> None:
    with scope:
        await site.run()


def _http_token(file: SiteFile) -> str | None:
    """The token that opens this home only, as its file has it now; None without one, or while it is broken."""
    if file.loaded is None or not file.loaded.settings.http.token_file:
        return None
    try:
        check_plain(file.loaded.settings.http.token_file)
        return read_secret("http.token", file.loaded.settings.http.token_file, {})[0].reveal() or None
    except SettingsError:
        return None


def _read_token(file: str) -> str:
    """The token as its file has it now. Raises SourceRefused."""
    try:
        check_plain(file)
        return read_secret("source.token", file, {})[0].reveal()
    except SettingsError as error:
        raise SourceRefused(error.message, error.hint) from error
