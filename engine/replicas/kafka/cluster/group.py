"""The homes that Kafka's consumer group assigns to this process of a fleet: one claim for each partition.

The group subscribes to the topic `sites`; the process that is assigned a partition owns the homes of that partition in every
topic. One thread only polls and rebalances; the homes that it starts and ends run in the event loop.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import TimeoutError as NotYetError
from contextlib import closing
from functools import partial
from threading import Event
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from engine.claims import ClaimListener
from engine.errors import EngineError, ReplicaError
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.administration import Administration
from engine.replicas.kafka.cluster.clients import ClusterClients
from engine.replicas.kafka.cluster.writing import Membership
from engine.replicas.kafka.ownership import Lease, PartitionClaim
from engine.replicas.kafka.partition.partition import Partition
from engine.replicas.kafka.topics import TopicNames, check_topics, check_user

_POLL_SECONDS = 0.1
_RETRY_SECONDS = 5.0
_HEARTBEATS = 3  # heartbeats per session, with a margin
# Homes end within the timeout of their current wait. Their claim is already closed, so they write nothing meanwhile.
RELEASE_SECONDS_MAX = 120.0


class GroupOwnership:
    """The `Ownership` by a consumer group. Create it inside the event loop."""

    def __init__(
        self,
        access: Access,
        worker: str,
        *,
        session_seconds: float,
        clock: Callable[[], float],
        on_trouble: Callable[[EngineError], None],
        share: Callable[[PartitionClaim, Membership], Partition],
    ) -> None:
        """Connects to nothing yet. `worker` names this process; `clock` returns seconds and counts those in which it was frozen.

        `share` makes the partition that the homes of a claim share.
        """
        self._access = access
        self._worker = worker
        self._session_seconds = session_seconds
        self._clock = clock
        self._on_trouble = on_trouble
        self._share = share
        self._reported: str | None = None

    async def run(self, gained: ClaimListener, lost: ClaimListener) -> None:
        """See `Ownership`. Retries while the cluster cannot be reached."""
        stop = Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._take_part, stop, gained, lost)
            try:
                await anyio.sleep_forever()
            finally:
                stop.set()

    async def _take_part(self, stop: Event, gained: ClaimListener, lost: ClaimListener) -> None:
        loop = asyncio.get_running_loop()
        listeners = _Listeners(loop, gained, lost, partial(self._report_later, loop))
        own_thread = anyio.CapacityLimiter(1)
        while True:
            lease = partial(Lease, self._clock, self._session_seconds)
            member = _Member(self._access, self._worker, listeners, self._session_seconds, lease, self._share)
            try:
                await anyio.to_thread.run_sync(member.run, stop, limiter=own_thread)
            except ReplicaError as error:
                self._tell(error)
            await anyio.sleep(_RETRY_SECONDS)

    def _report_later(self, loop: asyncio.AbstractEventLoop, error: EngineError) -> None:
        loop.call_soon_threadsafe(self._tell, error)

    def _tell(self, error: EngineError) -> None:
        if str(error) != self._reported:
            self._reported = str(error)
            self._on_trouble(error)


class _Listeners(NamedTuple):
    """The listeners for claims, and the event loop that they run in."""

    loop: asyncio.AbstractEventLoop
    gained: ClaimListener
    lost: ClaimListener
    trouble: Callable[[EngineError], None]  # callable from any thread


class _Member:
    """One membership in the group. Runs in one thread."""

    def __init__(
        self,
        access: Access,
        worker: str,
        listeners: _Listeners,
        session_seconds: float,
        begin_lease: Callable[[], Lease],
        share: Callable[[PartitionClaim, Membership], Partition],
    ) -> None:
        self._access = access
        self._worker = worker
        self._listeners = listeners
        self._session_seconds = session_seconds
        self._begin_lease = begin_lease
        self._share = share
        self._lease = begin_lease()
        self._clients = ClusterClients(access)
        self._names = TopicNames(access.address.prefix)
        self._membership = Membership(self._names.sites)
        self._claims: dict[int, PartitionClaim] = {}

    def run(self, stop: Event) -> None:
        """Stay a member until `stop`, or until the membership may have ended. Raises ReplicaError."""
        self._prepare_topics()
        self._lease = self._begin_lease()
        consumer = self._consumer()
        try:
            consumer.subscribe(
                [self._names.sites], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )
            while not stop.is_set() and self._lease.renew():
                message = consumer.poll(_POLL_SECONDS)
                self._membership.metadata = consumer.consumer_group_metadata()
                if message is not None and (error := message.error()) is not None:
                    self._listeners.trouble(self._clients.error(error, tried="share out the homes"))
                try:
                    self._clients.check(None, tried="share out the homes")
                except ReplicaError as error:
                    self._listeners.trouble(error)
        except KafkaException as error:
            raise self._clients.error(error.args[0], tried="share out the homes") from error
        finally:
            self._let_go(list(self._claims))
            consumer.close()

    def _prepare_topics(self) -> None:
        address = self._access.address
        with closing(Administration(self._clients, self._names, 0, self._names.fleet)) as administration:
            found = administration.describe()
            check_topics(self._names, found, address.partitions, address.setting)
            check_user(self._names, found)
            others = (self._names.of("statuses"), self._names.of("partition/0"))
            workers = group_of(self._names)
            administration.check_groups((workers, *others), joined=workers)
            if missing := [topic for topic in self._names.fleet if topic not in found]:
                administration.create(missing, partitions=address.partitions, replicas=address.replicas)

    def _consumer(self) -> Consumer:
        return self._clients.consumer(
            **{
                "client.id": self._worker,
                "group.id": group_of(self._names),
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": round(self._session_seconds * 1000),
                "heartbeat.interval.ms": round(self._session_seconds * 1000 / (_HEARTBEATS + 0.3)),
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
            }
        )

    def _assigned(self, consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        self._membership.metadata = consumer.consumer_group_metadata()
        # It reads no messages; it only needs the assignment.
        ends = [TopicPartition(place.topic, place.partition, OFFSET_END) for place in places]
        consumer.incremental_assign(ends)
        consumer.pause(ends)
        for place in places:
            number = place.partition
            owner = f"{self._worker}@{number}.{round(time.time() * 1000)}"
            claim = PartitionClaim(number, self._access.address.partitions, owner, self._lease)
            claim.shared = self._share(claim, self._membership)
            self._claims[number] = claim
            self._wait_for(self._listeners.gained(claim))

    def _revoked(self, consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        self._membership.metadata = consumer.consumer_group_metadata()
        self._let_go([place.partition for place in places])
        consumer.incremental_unassign(list(places))

    def _let_go(self, partitions: Sequence[int]) -> None:
        """End claims. Returns when their homes have ended."""
        claims = [claim for number in partitions if (claim := self._claims.pop(number, None)) is not None]
        for claim in claims:
            claim.close()
        if claims:
            self._wait_for(self._end_all(claims))

    async def _end_all(self, claims: Sequence[PartitionClaim]) -> None:
        await asyncio.gather(*(self._end(claim) for claim in claims))

    async def _end(self, claim: PartitionClaim) -> None:
        await self._listeners.lost(claim)
        if claim.shared is not None:
            await anyio.to_thread.run_sync(claim.shared.forget)

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it in the event loop. The remaining claims do not expire meanwhile, because this thread renews them."""
        done = asyncio.run_coroutine_threadsafe(work, self._listeners.loop)
        for _ in range(round(RELEASE_SECONDS_MAX / _POLL_SECONDS)):
            try:
                done.result(_POLL_SECONDS)
            except NotYetError:
                self._lease.renew()
            else:
                return


def group_of(names: TopicNames) -> str:
    """The consumer group of a fleet."""
    return names.of("workers")
