"""Exchanges the status of homes among the processes of a fleet: each sends its own and receives the others'.

A failure here is reported and does not affect any home: the other processes only know less.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
from msgspec.structs import replace

from api.sites.ports import Elsewhere, SiteView
from engine.claims import Claim, ClaimListener, Ownership
from engine.core.words import SyncStatus
from engine.errors import EngineError, OwnershipLost, ReplicaError
from engine.replicas.kafka.messages import Message
from engine.replicas.kafka.sites.due_statuses import DueStatuses
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import (
    FRESH_MS,
    SiteStatus,
    WorkerState,
    WorkerStatus,
    encode_site,
    encode_worker,
    encode_worker_removed,
)
from engine.replicas.kafka.sites.site_topic import Outgoing, SiteTopic
from engine.replicas.kafka.topics import partition_of
from engine.settings.sites import is_site_name
from engine.sites.files import SiteFile
from engine.sites.sharing.claim_numbers import ClaimNumbers
from engine.sites.sharing.digests import SettingsDigests
from engine.sites.sharing.home_statuses import home_status, milliseconds, released, unconfigured
from engine.sites.sharing.worker_messages import WorkerMessages, abandoned

T = TypeVar("T")

_ROUND_SECONDS = 1.0
_ROUNDS = 5  # each home is checked once in so many rounds
_RETRY_SECONDS = 5.0
_LAST_WORD_SECONDS = 1.0
_AT_ONCE = 100


class OwnedSite(NamedTuple):
    """A home that this process keeps, and its claim. Its view and its number of records are read when needed."""

    name: str
    claim: Claim
    view: Callable[[], SiteView]
    records: Callable[[], Mapping[str, int]]


class ExchangeState(NamedTuple):
    """The state of the exchange. `trouble` is the reason why it does not work, if so; the counts are then out of date."""

    is_drained: bool
    trouble: str | None
    strange_messages: int
    workers: int = 0  # processes of the fleet that have reported lately
    unowned: int = 0  # homes that no process has reported lately


class OwnedSites(Protocol):
    """The homes of this process."""

    def owned(self) -> Sequence[OwnedSite]:
        """The homes that this process keeps."""

    def claims(self) -> Sequence[Claim]:
        """The claims that assign homes to this process."""


class StatusExchange:
    """Sends and receives statuses under this process's name and the address of its API."""

    def __init__(
        self,
        topic: SiteTopic,
        worker: WorkerStatus,
        *,
        directory: str,
        clock: Callable[[], float],
        on_trouble: Callable[[EngineError], None],
        on_released: Callable[[Sequence[str]], None] = lambda _sites: None,
    ) -> None:
        """Connects to nothing yet. `clock` is the wall clock; `on_released` receives, in a thread, homes that were given up."""
        self.known = KnownSites(topic.partitions)
        self.trouble: str | None = None
        self.worker = worker
        self._topic = topic
        self._directory = directory
        self._clock = clock
        self._on_trouble = on_trouble
        self._on_released = on_released
        self._due = DueStatuses()
        self._numbers = ClaimNumbers(worker.worker, self.known)
        self._worker_messages = WorkerMessages()
        self._digests = SettingsDigests()
        self._named: Mapping[str, str | None] | None = None  # digests of all homes; None: not read yet
        self._thread = anyio.CapacityLimiter(1)
        self.unconfigured: tuple[SiteStatus, ...] = ()

    async def run(self, sites: OwnedSites) -> None:
        """Send and receive until cancelled."""
        number = 0
        while True:
            number += 1
            try:
                await self._round(sites, number)
                self.trouble = None
                await anyio.sleep(_ROUND_SECONDS)
            except ReplicaError as error:
                self._report(error)
                self._due.doubt()
                self._worker_messages.doubt()
                self.known.strange = 0  # everything is read again
                await self._in_thread(self._topic.close)
                await anyio.sleep(_RETRY_SECONDS)

    def state(self) -> ExchangeState:
        """The current state of the exchange."""
        now, is_drained = milliseconds(self._clock()), self.worker.state == "drained"
        unowned = self.known.unowned(self._named or (), now)
        return ExchangeState(is_drained, self.trouble, self.known.strange, self.known.heard(now), unowned)

    def take_files(self, files: Mapping[str, SiteFile]) -> None:
        """Note the homes that this process has settings for; called in a thread."""
        self._named = self._digests.of(files)

    def note_drained(self, since: float | None) -> None:
        """Send that this process has been drained since then (Unix seconds), or no longer is."""
        state: WorkerState = "active" if since is None else "drained"
        at = self._clock() if since is None else since
        self.worker = replace(self.worker, state=state, since_ms=milliseconds(at))

    def around(self, ownership: Ownership) -> Ownership:
        """The ownership, which also sends a last status for each home that is given up."""
        return _Announced(ownership, self)

    async def release(self, claim: Claim) -> None:
        """Send that the homes of a claim have ended here. They must have ended; the claim may have expired."""
        now = self._clock()
        statuses = []
        for site, number in self._numbers.end(claim).items():
            last = self._due.last(site)
            self._due.forget(site)
            if last is not None:
                statuses.append(replace(released(last, now), claim=number))
        if statuses:
            await anyio.to_thread.run_sync(self._on_released, [status.site for status in statuses])
            await self._send_now([self._message(status) for status in statuses])

    async def leave(self) -> None:
        """Send that this process ends, and close the topic."""
        name = self.worker.worker
        await self._send_now([self._of_worker(name, encode_worker_removed(self._topic.name, name))])
        with anyio.CancelScope(shield=True):
            await self._in_thread(self._topic.close)

    def elsewhere(self, name: str) -> Elsewhere | None:
        """The other process that keeps a home; None if none has reported it."""
        status = self.known.sites.get(name)
        if status is None:
            return Elsewhere("", "", is_current=False) if name in (self._named or {}) else None
        is_fresh = abs(milliseconds(self._clock()) - status.ts_ms) <= FRESH_MS
        is_current = is_fresh and status.is_owned and status.owner != self.worker.worker
        is_apart = status.url.rstrip("/") != self.worker.url.rstrip("/")
        return Elsewhere(status.owner, status.url if is_apart else "", is_current)

    def is_kept_elsewhere(self, name: str) -> bool:
        """Whether another process is known to keep a home in sync."""
        status = self.known.sites.get(name)
        if status is None or status.owner == self.worker.worker or name in self._numbers:
            return False
        return status.word_at(milliseconds(self._clock())) == SyncStatus.IN_SYNC

    # One round

    async def _round(self, sites: OwnedSites, number: int) -> None:
        now_ms = milliseconds(self._clock())
        for arrived in await self._in_thread(self._topic.arrived):
            name = self.known.fold(arrived.entry, arrived.partition, now_ms)
            if name and name in self._numbers and name not in self.known.sites:
                self._due.forget(name)  # removed by a process that does not keep it: send it again
            if arrived.entry.offset % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        statuses = list(self._worker_due())
        for count, owned in enumerate(sites.owned()):
            if (status := self._status_due(owned, number)) is not None:
                statuses.append(self._message(status))
            if count % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        if number % _ROUNDS == 0:
            statuses += [self._message(status) for status in self._unconfigured_due(sites)]
        await self._in_thread(partial(self._topic.send, statuses))

    def _status_due(self, owned: OwnedSite, number: int) -> SiteStatus | None:
        name = owned.name
        if not is_site_name(name):
            return None  # a broken file without a valid name
        partition = partition_of(name, self._topic.partitions)
        is_new = self._numbers.is_new(name, owned.claim)
        if not (is_new or (partition + number) % _ROUNDS == 0) or not self._topic.has_read(partition):
            return None
        now = self._clock()
        status = home_status(owned.view(), owned.records(), self.worker, now)
        return self._under(status, owned.claim)

    def _unconfigured_due(self, sites: OwnedSites) -> Iterator[SiteStatus]:
        named = self._named
        if named is None:
            return
        now, kept, found = self._clock(), {owned.name for owned in sites.owned()}, []
        for name, known in sorted(self.known.sites.items()):
            if name in named or name in kept:
                continue
            claim = next((claim for claim in sites.claims() if claim.covers(name)), None)
            if claim is None or not self._topic.has_read(partition_of(name, self._topic.partitions)):
                continue
            since = known.since_ms if known.stage == "unconfigured" else None
            status = unconfigured(known, self.worker, since, self._directory, now)
            found.append(status)
            if (due := self._under(status, claim)) is not None:
                yield due
        self.unconfigured = tuple(found)

    def _under(self, status: SiteStatus, claim: Claim) -> SiteStatus | None:
        """The status with the claim's number, if it is due and the claim is still valid."""
        try:
            claim.check()
        except OwnershipLost:
            return None
        number = self._numbers.number(status.site, claim, milliseconds(self._clock()))
        status = replace(status, claim=number)
        if not self._due.take(status, anyio.current_time()):
            return None
        self.known.note(status)
        return status

    def _worker_due(self) -> Iterator[Outgoing]:
        named = self._named
        if named is None:
            return
        now_ms = milliseconds(self._clock())
        status = replace(self.worker, ts_ms=now_ms, settings=dict(named))
        if self._worker_messages.take(status, anyio.current_time()):
            yield self._of_worker(status.worker, encode_worker(self._topic.name, status))
            for name in abandoned(self.known.workers, now_ms):
                yield self._of_worker(name, encode_worker_removed(self._topic.name, name))

    def _of_worker(self, name: str, message: Message) -> Outgoing:
        return Outgoing(partition_of(name, self._topic.partitions), message)

    def _message(self, status: SiteStatus) -> Outgoing:
        return Outgoing(
            partition_of(status.site, self._topic.partitions), encode_site(self._topic.name, status)
        )

    async def _send_now(self, messages: Sequence[Outgoing]) -> None:
        """Send now and wait briefly until it is sent, even while this process ends."""
        with anyio.CancelScope(shield=True):
            try:
                await self._in_thread(partial(self._topic.send, messages))
                # Not in the single thread of the exchange: many partitions are given up at once.
                await anyio.to_thread.run_sync(self._topic.flush, _LAST_WORD_SECONDS)
            except ReplicaError as error:
                self._report(error)

    async def _in_thread(self, job: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(job, limiter=self._thread)

    def _report(self, error: EngineError) -> None:
        if str(error) != self.trouble:
            self.trouble = str(error)
            self._on_trouble(error)


class _Announced:
    """An `Ownership` that sends a last status for each home that is given up."""

    def __init__(self, inner: Ownership, exchange: StatusExchange) -> None:
        self._inner = inner
        self._exchange = exchange

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """See `Ownership`."""

        async def after(claim: Claim) -> None:
            await lost(claim)
            await self._exchange.release(claim)

        await self._inner.run(gained, after)
