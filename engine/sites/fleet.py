"""The homes of one process: reads their folder, starts and stops them, and presents them to the API and the metrics."""

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from api.app_context import AppContext
from api.ports import ReadTransaction
from api.sites.ports import Elsewhere, SiteChange, SiteView, Stage
from engine.claims import Claim, Ownership
from engine.composition.mirror import Mirror, MirrorListener
from engine.composition.resources import Resources
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.errors import SettingsError
from engine.sites.concurrency_limiter import ConcurrencyLimiter, LimitedSource
from engine.sites.files import SiteFile, SiteFiles, http_token, read_token
from engine.sites.followed import FollowedChanges
from engine.sites.limits import REREAD_SECONDS_MAX, keep_from_cycle_search, resident_bytes, share_of_group
from engine.sites.metrics import render_site
from engine.sites.pauses import is_paused
from engine.sites.sharing.status_exchange import OwnedSite
from engine.sites.site import Site, SiteDependencies
from engine.sites.threads import shared_threads

_RELOAD_SECONDS = 2.0
_STATUS_SECONDS = 5.0
_READERS = 4
# For each home; a busy one with 1,300 entities changes its registries a few times a minute.
_MESSAGES_PER_SECOND_MAX = 100.0
_MIB = 1024 * 1024

T = TypeVar("T")
Listeners = Callable[[str, Mirror], tuple[MirrorListener, ...]]
_logger = logging.getLogger("reconcile")


class _SiteOnDisk(NamedTuple):
    """The files of one home, as read from the disk."""

    file: SiteFile
    is_paused: bool
    token: str | None


class _Running(NamedTuple):
    """A home's task, and the claim that it holds for as long as it runs."""

    claim: Claim
    scope: anyio.CancelScope
    ended: anyio.Event


class Fleet:
    """All homes that `ownership` assigns to this process. `listeners` creates those of each home; `on_failed` receives its exceptions."""

    def __init__(  # noqa: PLR0913 (collaborators, by keyword)
        self,
        files: SiteFiles,
        ownership: Ownership,
        *,
        mode: Mode,
        clock: Callable[[], float],
        listeners: Listeners,
        on_failed: Callable[[str, str, BaseException], None],
        on_files: Callable[[Mapping[str, SiteFile]], None] = lambda _files: None,
    ) -> None:
        """Create it inside the event loop. Reads nothing yet. `on_files` receives all files, in a thread."""
        self._files, self._on_files = files, on_files
        self._ownership = ownership
        self._claims: list[Claim] = []
        self._moved = anyio.Event()
        settings = files.settings
        decode, store = settings.threads_decode, settings.threads_store
        self._decode, self._store, self._remote, self._read = shared_threads(decode, store, store, store)
        self._connecting = ConcurrencyLimiter(settings.connecting_max)
        self._reading = ConcurrencyLimiter(settings.reading_max)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")
        self._memory_max = settings.memory_mib_max * _MIB or share_of_group()
        self._clock = clock
        self._dependencies = partial(
            SiteDependencies,
            mode=mode,
            clock=clock,
            draw=random.random,
            listeners=lambda mirror: listeners(mirror.name, mirror),
            why_wait=self._why_wait,
            on_failed=on_failed,
        )
        self._sites: dict[str, Site] = {}
        self._running: dict[str, _Running] = {}
        self._followers: set[FollowedChanges] = set()
        self._found: dict[str, _SiteOnDisk] = {}
        self._resident_bytes = 0
        self._is_told = False  # set while the folder cannot be read
        self.is_closed = False
        self.drained: str | None = None  # only a process of a fleet can be drained

    async def begin(self) -> None:
        """Read the folder of homes. Raises SettingsError when it cannot be listed."""
        self._found = await self._looked()

    async def run(self) -> None:
        """Keep all homes until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ownership.run, self._gain, self._lose)
            while True:
                await self._take_up(tasks)
                with anyio.move_on_after(_RELOAD_SECONDS):
                    await self._moved.wait()
                self._moved = anyio.Event()
                try:
                    self._found = await self._looked()
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

    # For the API

    def views(self) -> Sequence[SiteView]:
        """All homes, by name."""
        return [self._sites[name].view() for name in sorted(self._sites)]

    def stages(self) -> dict[str, Stage]:
        """The stage of each home in this process, by name."""
        return {name: self._sites[name].stage for name in sorted(self._sites)}

    def view(self, name: str) -> SiteView | None:
        """One home; None if there is none of this name."""
        site = self._sites.get(name)
        return site.view() if site else None

    def elsewhere(self, _name: str) -> Elsewhere | None:
        """None: this process does not know any other."""
        return None

    def token(self, name: str) -> str | None:
        """The token that grants access to this home only."""
        found = self._found.get(name)
        return found.token if found else None

    async def open(self, name: str) -> AppContext | None:
        """The context from which the API answers about a home; None while it is not kept."""
        site = self._sites.get(name)
        return await site.open() if site else None

    async def read(self, name: str, job: Callable[[ReadTransaction], T], /) -> T | None:
        """The result of a job on a home's rows; None while the home is not kept. Raises ReplicaError."""
        site = self._sites.get(name)
        return await site.read(job) if site else None

    def metrics(self, name: str, accept: str) -> tuple[bytes, str]:
        """The series of one home."""
        return render_site(self._sites[name].view(), self._clock(), accept)

    @contextmanager
    def follow(self) -> Iterator["FollowedChanges"]:
        """Follow the changes of all homes."""
        follower = FollowedChanges()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    # For other processes

    def owned(self) -> Sequence[OwnedSite]:
        """The homes that this process keeps, by name."""
        return [
            OwnedSite(name, self._running[name].claim, site.view, site.records)
            for name, site in sorted(self._sites.items())
        ]

    def claims(self) -> Sequence[Claim]:
        """The claims that assign homes to this process."""
        return tuple(self._claims)

    def on_report(self, site: str, report: Report) -> None:
        """Pass on the changes of a pass."""
        if not self._followers:
            return
        changes = [
            SiteChange(site, r.replica, r.registry, r.key, r.name, r.cause, r.outcome, report.run_id)
            for r in report.records
        ]
        for follower in self._followers:
            follower.put(changes)

    async def _looked(self) -> dict[str, _SiteOnDisk]:
        """Read the files of all homes. Raises SettingsError when the folder cannot be listed."""
        return await anyio.to_thread.run_sync(self._look, tuple(self._claims), frozenset(self._running))

    def _look(self, claims: Sequence[Claim], running: Set[str]) -> dict[str, _SiteOnDisk]:
        """Read the files of the homes that are claimed or still run; called in a thread. Raises SettingsError."""
        self._resident_bytes = resident_bytes()
        files = self._files.read()
        self._on_files(files)
        return {
            name: _SiteOnDisk(file, is_paused(self._files.state_folder(name)), http_token(file))
            for name, file in files.items()
            if name in running or any(claim.covers(name) for claim in claims)
        }

    # For homes

    def _resources(self, claim: Claim, file: SiteFile) -> Resources:
        assert file.loaded is not None, "only a home with settings is started"
        token_file = file.loaded.settings.source.token_file
        return Resources(
            claim=claim,
            decode=self._decode.of_home(),
            source_files=self._read.of_home(),
            files=self._store.of_home(),
            remote=self._remote.of_home(),
            wrap=lambda source: LimitedSource(source, self._connecting, self._reading),
            reread_seconds_max=REREAD_SECONDS_MAX,
            on_kept=keep_from_cycle_search,
            is_calm=lambda: not (self._connecting.is_full or self._reading.is_full),
            token=partial(read_token, token_file) if token_file else None,
            readers=self._readers,
            messages_per_second_max=_MESSAGES_PER_SECOND_MAX,
            up="../../",
            status_seconds=_STATUS_SECONDS,
        )

    def _why_wait(self) -> str | None:
        if not self._memory_max or (used := self._resident_bytes) <= self._memory_max:
            return None
        return (
            f"the process holds {used // _MIB} MiB, above {self._memory_max // _MIB} (sites.memory_mib_max); "
            "keep fewer homes here, with sites.shard"
        )

    # Claims that begin and end

    async def _gain(self, claim: Claim) -> None:
        self._claims.append(claim)
        self._moved.set()

    async def _lose(self, claim: Claim) -> None:
        """Stop a claim's homes. Returns when all of them have ended."""
        self._claims.remove(claim)
        lost = {name: running for name, running in self._running.items() if running.claim is claim}
        for running in lost.values():
            running.scope.cancel()
        for name, running in lost.items():
            await running.ended.wait()
            if self._running.get(name) is running:
                del self._running[name], self._sites[name]

    async def _take_up(self, tasks: anyio.abc.TaskGroup) -> None:
        for name in self._sites.keys() - self._found.keys():
            self._running.pop(name).scope.cancel()
            del self._sites[name]
        new = self._found.keys() - self._sites.keys()
        turns = {name: turn for turn, claim in enumerate(self._claims) for name in new if claim.covers(name)}
        # Homes of one claim one after the other, so that one of Kafka's transactions serves several of them.
        for name, found in sorted(self._found.items(), key=lambda home: turns.get(home[0], -1)):
            if name in self._sites:
                self._sites[name].update(found.file, is_paused=found.is_paused)
            elif (claim := next((c for c in self._claims if c.covers(name)), None)) is not None:
                self._start(name, found, claim, tasks)
            await anyio.lowlevel.checkpoint()  # a thousand files must not keep other tasks waiting

    def _start(self, name: str, found: _SiteOnDisk, claim: Claim, tasks: anyio.abc.TaskGroup) -> None:
        # The home keeps its claim object: a later look-up could return a successor's claim.
        given = self._dependencies(resources=partial(self._resources, claim))
        site = self._sites[name] = Site(found.file, given, is_paused=found.is_paused)
        running = self._running[name] = _Running(claim, anyio.CancelScope(), anyio.Event())
        tasks.start_soon(_run_within, running, site)


async def _run_within(running: _Running, site: Site) -> None:
    try:
        with running.scope:
            await site.run()
    finally:
        running.ended.set()
