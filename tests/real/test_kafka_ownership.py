"""A real consumer group hands partitions of homes to processes: each to one, and only after who had it let go."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from engine.claims import Claim
from engine.errors import EngineError, OwnershipLost, ReplicaUnavailable
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.group import GroupOwnership
from engine.replicas.kafka.cluster.log import partition_log
from engine.replicas.kafka.cluster.workers import ClusterFleet
from engine.replicas.kafka.cluster.writing import Membership
from engine.replicas.kafka.fleet import problems_of
from engine.replicas.kafka.open import open_shared
from engine.replicas.kafka.ownership import PartitionClaim
from engine.replicas.kafka.partition.partition import Partition
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_jars import OLDER

pytestmark = [pytest.mark.real_server, pytest.mark.slow, pytest.mark.anyio]
PARTITIONS = 4


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path_factory.mktemp("kafka")) as found:
        yield found


class Process:
    """What one process was given, and what it gave up; `slowly` keeps it from letting go."""

    def __init__(self, broker: KafkaBroker, prefix: str, *, partitions: int = PARTITIONS) -> None:
        self.held: list[Claim] = []
        self.ended: list[Claim] = []
        self.troubles: list[str] = []
        self.memberships: dict[int, Membership] = {}
        self.may_let_go = anyio.Event()
        self.may_let_go.set()
        self.access = Access(parse_address(broker.uri(prefix, partitions=partitions)), timeout_seconds=10)
        self.name = f"worker{id(self)}"
        self.ownership = GroupOwnership(
            self.access,
            self.name,
            session_seconds=6,
            clock=time.monotonic,
            on_trouble=self._on_trouble,
            share=self._share,
        )

    def _share(self, claim: PartitionClaim, membership: Membership) -> Partition:
        self.memberships[claim.partition] = membership
        return open_shared(self.access, claim, membership, verify_seconds=3600)

    def _on_trouble(self, error: EngineError) -> None:
        self.troubles.append(str(error))

    async def gain(self, claim: Claim) -> None:
        claim.check()
        self.held.append(claim)

    async def lose(self, claim: Claim) -> None:
        with pytest.raises(OwnershipLost):
            claim.check()
        await self.may_let_go.wait()
        self.held.remove(claim)
        self.ended.append(claim)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Process"]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.ownership.run, self.gain, self.lose)
            yield self
            tasks.cancel_scope.cancel()


async def until(number: int, process: Process) -> None:
    with anyio.fail_after(60):
        while len(process.held) != number:  # noqa: ASYNC110 (a real broker has no event to wait for)
            await anyio.sleep(0.05)


def sites(process: Process) -> set[str]:
    names = [f"home{number}" for number in range(40)]
    return {name for name in names for claim in process.held if claim.covers(name)}


async def test_a_second_process_gets_its_share_once_the_first_has_let_go(broker: KafkaBroker) -> None:
    async with Process(broker, "shared").running() as first:
        await until(PARTITIONS, first)
        assert len(sites(first)) == 40
        first.may_let_go = anyio.Event()
        async with Process(broker, "shared").running() as second:
            await anyio.sleep(8)  # longer than a session: a process that is slow to let go loses nothing else
            assert second.held == []
            assert len(first.held) == PARTITIONS
            first.may_let_go.set()
            await until(PARTITIONS // 2, second)
            assert not sites(first) & sites(second)
            assert len(sites(first) | sites(second)) == 40
            for claim in first.held:
                claim.check()
            found = await anyio.to_thread.run_sync(ClusterFleet(first.access).workers)
            assert {(w.name, len(w.partitions)) for w in found} == {(first.name, 2), (second.name, 2)}
            assert len({claim.owner for claim in (*first.held, *first.ended, *second.held)}) == 6
        assert second.held == []  # it let go before it left
        await until(PARTITIONS, first)
        assert not first.troubles


async def test_topics_of_other_partitions_are_named_and_nothing_is_owned(broker: KafkaBroker) -> None:
    async with Process(broker, "partitioned").running() as process:
        await until(PARTITIONS, process)
        fleet = ClusterFleet(process.access)
        found = await anyio.to_thread.run_sync(fleet.topics)
        assert set(found) == set(fleet.names.fleet)
        assert problems_of(fleet.names, found, PARTITIONS) == ()
        assert await anyio.to_thread.run_sync(ClusterFleet(Process(broker, "nobody").access).workers) == ()
    async with Process(broker, "partitioned", partitions=3).running() as process:
        with anyio.fail_after(60):
            while not process.troubles:  # noqa: ASYNC110 (see above)
                await anyio.sleep(0.05)
        assert "has 4 partitions, but the settings ask for 3" in process.troubles[0]
        assert process.held == []


async def test_without_a_broker_no_home_is_owned_and_all_are_again_after_its_return(tmp_path: Path) -> None:
    with kafka_or_skip(tmp_path / "kafka") as broker:
        async with Process(broker, "away").running() as process:
            await until(PARTITIONS, process)
            before = list(process.held)
            await anyio.to_thread.run_sync(broker.stop)
            await until(0, process)
            assert process.ended == before
            await anyio.to_thread.run_sync(broker.start)
            await until(PARTITIONS, process)
            assert process.troubles
            assert not {claim.owner for claim in process.held} & {claim.owner for claim in before}


async def test_a_former_member_makes_no_writer(broker: KafkaBroker) -> None:
    async with Process(broker, "proven").running() as first:
        await until(PARTITIONS, first)
        claim = first.held[0]
        assert isinstance(claim, PartitionClaim)
        membership = first.memberships[claim.partition]
        with closing(partition_log(first.access, claim.partition, membership)) as log:
            await anyio.to_thread.run_sync(log.take_over, None)
            assert log.is_writer
            before, stale = membership.metadata, Membership(membership.topic)
            stale.metadata = before
            async with Process(broker, "proven").running() as second:
                await until(PARTITIONS // 2, second)
                # Members came and went since: it asks again with what is known by then.
                impatient = Access(first.access.address, timeout_seconds=2)
                with (
                    closing(partition_log(impatient, claim.partition, stale)) as late,
                    pytest.raises(ReplicaUnavailable, match="no longer a member of the group"),
                ):
                    await anyio.to_thread.run_sync(late.take_over, None)
                await anyio.to_thread.run_sync(log.take_over, None)
    with closing(partition_log(first.access, claim.partition, membership)) as log:
        with pytest.raises(ReplicaUnavailable, match="no longer a member of the group"):
            await anyio.to_thread.run_sync(log.take_over, None)
        assert not log.is_writer


async def test_an_older_broker_hands_out_homes_as_well(tmp_path: Path) -> None:
    with kafka_or_skip(tmp_path / "older", version=OLDER) as older:
        async with Process(older, "older").running() as first:
            await until(PARTITIONS, first)
            async with Process(older, "older").running() as second:
                await until(PARTITIONS // 2, second)
                assert len(first.held) == PARTITIONS // 2
            await until(PARTITIONS, first)
            assert first.troubles == []
