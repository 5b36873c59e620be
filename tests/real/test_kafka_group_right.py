"""A real broker that refuses this user a consumer group: reported before anything is read or written."""

from collections.abc import Iterator
from contextlib import closing

import anyio
import pytest

from engine.claims import Claim
from engine.errors import EngineError, ReplicaRejected
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.log import home_log
from engine.replicas.kafka.cluster.whole_topics import WholeTopics
from engine.replicas.kafka.cluster.workers import ClusterFleet
from engine.replicas.kafka.doctor import examine_kafka
from engine.replicas.kafka.topics import TopicNames
from tests.real.kafka_member import member_of
from tests.real.kafka_secured import Right, SecuredBroker, secured_kafka_or_skip
from tests.real.test_kafka_access import DESCRIBE, EVERY, GROUP, TOPIC, access_to, reconcile

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_kafka_or_skip(tmp_path_factory.mktemp("secured") / "broker") as found:
        yield found


@pytest.mark.anyio
@pytest.mark.parametrize("granted", [(), ((GROUP, DESCRIBE),)], ids=["nothing", "describe"])
async def test_a_forbidden_group_is_reported_before_anything_is_read(
    broker: SecuredBroker, granted: tuple[Right, ...]
) -> None:
    prefix = f"nogroup{len(granted)}"
    rights = (*(right for right in EVERY if right[0] != GROUP), (TOPIC, DESCRIBE), *granted)
    await anyio.to_thread.run_sync(broker.grant, prefix, rights)
    access = access_to(broker, prefix)
    troubles: list[EngineError] = []

    async def never(_claim: Claim) -> None:
        raise AssertionError

    member = member_of(access, troubles.append)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(member.run, never, never)
        with anyio.fail_after(30):
            while not troubles:  # noqa: ASYNC110 (a real broker has no event to wait for)
                await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert "share out the homes: this user may not use the consumer group" in troubles[0].message
    assert "Grant it Read on groups that begin with" in troubles[0].hint
    if not granted:
        await anyio.to_thread.run_sync(check_what_reads, access)


def check_what_reads(access: Access) -> None:
    reported = "this user may not use the consumer group"
    names = TopicNames(access.address.prefix)
    with pytest.raises(ReplicaRejected, match=reported):
        reconcile(access)
    with closing(home_log(access, "home")) as log:
        assert log.describe() == {}  # nothing was made
        checks = {check.name: check for check in examine_kafka(log, access.address, "home")}
    assert checks["rights"].status == "failed"
    assert reported in checks["rights"].found
    with pytest.raises(ReplicaRejected, match=reported):
        ClusterFleet(access).workers()
    with closing(WholeTopics(access, names.fleet)) as topics, pytest.raises(ReplicaRejected, match=reported):
        topics.describe()
