"""Composes the service of a fleet view: the follower of the topics, the API that reads the file, and its host."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec

from api.fleet.app import build_view_app
from api.fleet.ports import Standing
from api.fleet.queries import ViewedSitesQuery
from engine import __version__
from engine.composition.kafka import open_whole_topics
from engine.composition.serving import options_of, serve_beside
from engine.core.state.intervals import AGELESS
from engine.errors import ReplicaDamaged, ReplicaError
from engine.files.store_lock import hold_store
from engine.fleet_view.change_streams import ChangeStreams
from engine.fleet_view.changes import ChangeFollower
from engine.fleet_view.following import TOPICS_READ, Follower, Pace, ViewedTopics
from engine.fleet_view.metrics import Totals, ViewMetrics
from engine.fleet_view.view_file.reading import FileTransaction, ViewReader
from engine.fleet_view.view_file.store import ViewStore
from engine.metrics.series import Metrics
from engine.process.clock import since_boot
from engine.process.memory_trim import keep_giving_back_memory
from engine.process.systemd import Notifier
from engine.settings.sections import LoadedSettings

T = TypeVar("T")

_TOTALS_SECONDS = 5.0


class ViewHost(msgspec.Struct, frozen=True):
    """The callbacks of the service of a view."""

    on_ready: Callable[[str], None]  # receives the API's address
    on_trouble: Callable[[ReplicaError], None]
    notifier: Notifier


class RunningView:
    """See `FleetView`. Create it inside the event loop."""

    def __init__(
        self, follower: Follower, reader: ViewReader, clock: Callable[[], float], streams: ChangeStreams
    ) -> None:
        self._follower = follower
        self._reader = reader
        self._clock = clock
        self.follow_changes = streams.follow
        # One reader each, so that neither waits for the other: SQLite lets both read the file.
        self._following, self._reading = anyio.CapacityLimiter(1), anyio.CapacityLimiter(1)
        self.totals = Totals({}, 0, {})

    def standing(self) -> Standing:
        """See `FleetView`."""
        return self._follower.standing

    async def read(self, job: Callable[[FileTransaction], T]) -> T:
        """See `FleetView`."""

        def look() -> T:
            with self._reader.transaction() as transaction:
                return job(transaction)

        try:
            return await anyio.to_thread.run_sync(look, limiter=self._reading)
        except ReplicaDamaged as error:
            self._follower.on_damage(error)
            raise

    async def run(self) -> None:
        """Follow until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_counting)
            while True:
                seconds = await anyio.to_thread.run_sync(self._follower.step, limiter=self._following)
                await anyio.sleep(seconds)

    async def count(self) -> None:
        """Read the totals for the metrics, if the file can be read."""

        def look(transaction: FileTransaction) -> Totals:
            return Totals(
                transaction.counts(ViewedSitesQuery(), self._clock()),
                transaction.count_devices(),
                transaction.oddities(),
            )

        with suppress(ReplicaError):  # a request for rows reports the error
            self.totals = await self.read(look)

    async def _keep_counting(self) -> None:
        """Refresh the totals, so that a scrape does not wait for the disk."""
        while True:
            if self.standing().as_of is not None:
                await self.count()
            await anyio.sleep(_TOTALS_SECONDS)

    def close(self) -> None:
        """Close everything."""
        self._follower.close()
        self._reader.close()


async def serve_view(loaded: LoadedSettings, host: ViewHost, *, stop: anyio.Event) -> None:
    """Run until `stop` is set. Raises SettingsError before it is ready."""
    path = Path(loaded.settings.fleet.view_file)
    topics = open_whole_topics(loaded, TOPICS_READ)

    def open_changes() -> ChangeFollower:
        feed = open_whole_topics(loaded, ("changes",))
        return ChangeFollower(feed, feed.address.prefix, feed.address.partitions)

    with hold_store(path, "fleet.view_file"):
        fleet = ViewedTopics(topics.address.prefix, topics.address.partitions)
        pace = Pace(time.time, since_boot, Random().random)  # noqa: S311 (a draw for waits, no secret)
        follower = Follower(fleet, topics, ViewStore(path, time.time), pace, host.on_trouble)
        streams = ChangeStreams(open_changes)
        view = RunningView(follower, ViewReader(path), time.time, streams)
        metrics = Metrics(None, time.time, version=__version__, replicas=(), freshness=AGELESS)
        metrics.add(ViewMetrics(view.standing, lambda: view.totals))
        app = build_view_app(view, time.time, options_of(loaded, metrics), secrets.token_hex(8))
        try:
            await serve_beside((view.run, keep_giving_back_memory), app, streams, loaded, host, stop)
        finally:
            view.close()
