"""No client of librdkafka outlives its use, even if the error that ended it is kept. See `ClusterClients` for what happens otherwise."""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import anyio
import pytest

from engine.claims import Claim
from engine.errors import EngineError, ReplicaError
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.log import ClusterLog, home_log
from engine.replicas.kafka.cluster.site_topic import ClusterSiteTopic
from engine.replicas.kafka.cluster.whole_topics import WholeTopics
from engine.replicas.kafka.cluster.workers import ClusterFleet
from engine.replicas.kafka.messages import Message
from engine.replicas.kafka.sites.site_topic import Outgoing
from tests.real.kafka_member import member_of

pytestmark = [pytest.mark.real_server, pytest.mark.slow]
# Nothing listens there: every call fails after a second.
NOWHERE = Access(parse_address("kafka://127.0.0.1:1/x?partitions=2"), timeout_seconds=2.0)
MESSAGE = Message("x.sites", b"key", b"value", ())


def client_threads() -> set[str]:
    """The numbers of librdkafka's threads in this process."""
    numbers = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that ended meanwhile
            if (task / "comm").read_text().startswith("rdk:"):
                numbers.add(task.name)
    return numbers


def _follow(topics: WholeTopics) -> None:
    for _ in range(2):
        topics.follow({("x.device", 0): 0})
    for _ in range(2):
        topics.ask_ends()
    while True:
        topics.take(1, 0.1)


@pytest.fixture(name="left")
def threads_left() -> Callable[[], set[str]]:
    """Returns the threads of clients that the test made and did not end; other tests in this process may have left some."""
    before = client_threads()
    return lambda: client_threads() - before


@pytest.mark.parametrize(
    "call",
    [
        ClusterLog.cluster,
        ClusterLog.describe,
        lambda log: log.create(["x.device"]),
        lambda log: log.ends(["x.device"]),
        lambda log: log.follow(["x.device"]),
        lambda log: log.take_over(None),
    ],
    ids=["cluster", "describe", "create", "ends", "follow", "take_over"],
)
def test_no_client_of_a_log_outlives_its_end(
    call: Callable[[ClusterLog], object], left: Callable[[], set[str]]
) -> None:
    log = home_log(NOWHERE, "home")
    with closing(log), pytest.raises(ReplicaError) as kept:
        call(log)
    assert kept.value.__traceback__ is not None
    assert left() == set()


def test_no_client_of_a_check_outlives_it(left: Callable[[], set[str]]) -> None:
    log = home_log(NOWHERE, "home")
    log.check_group()  # a coordinator that is down is no error
    assert left() == set()


@pytest.mark.parametrize(
    "call",
    [
        WholeTopics.describe,
        lambda topics: topics.reach([("x.device", 0)]),
        _follow,
    ],
    ids=["describe", "reach", "follow"],
)
def test_no_client_of_a_view_outlives_its_end(
    call: Callable[[WholeTopics], object], left: Callable[[], set[str]]
) -> None:
    topics = WholeTopics(NOWHERE, ["x.device"])
    with closing(topics), pytest.raises(ReplicaError) as kept:
        call(topics)
    assert kept.value.__traceback__ is not None
    assert left() == set()


@pytest.mark.parametrize(
    "call",
    [
        ClusterFleet.topics,
        lambda fleet: fleet.create(["x.sites"]),
        ClusterFleet.said,
        ClusterFleet.workers,
    ],
    ids=["topics", "create", "said", "workers"],
)
def test_no_client_of_a_fleets_description_outlives_its_call(
    call: Callable[[ClusterFleet], object], left: Callable[[], set[str]]
) -> None:
    with pytest.raises(ReplicaError) as kept:
        call(ClusterFleet(NOWHERE))
    assert kept.value.__traceback__ is not None
    assert left() == set()


def _send_and_read(topic: ClusterSiteTopic) -> None:
    topic.send([Outgoing(0, MESSAGE)])
    topic.flush(0)
    topic.read_all()


def test_no_client_of_the_sites_topic_outlives_its_end(left: Callable[[], set[str]]) -> None:
    topic = ClusterSiteTopic(NOWHERE)
    with closing(topic), pytest.raises(ReplicaError) as kept:
        _send_and_read(topic)
    assert kept.value.__traceback__ is not None
    assert left() == set()


@pytest.mark.anyio
async def test_no_client_of_a_member_outlives_its_attempt(left: Callable[[], set[str]]) -> None:
    failed = anyio.Event()
    troubles: list[EngineError] = []

    def note(error: EngineError) -> None:
        troubles.append(error)
        failed.set()

    async def ignore(_claim: Claim) -> None: ...

    member = member_of(NOWHERE, note)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(member.run, ignore, ignore)
        with anyio.fail_after(60):
            await failed.wait()
        tasks.cancel_scope.cancel()
    assert troubles[0].__traceback__ is not None
    assert left() == set()
