"""A partition that homes share: one full read, one writer, transactions of several homes, and the failure of one."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area
from engine.errors import OwnershipLost, ReplicaRejected, ReplicaUnavailable
from engine.replicas.kafka.messages import encode_key
from engine.replicas.kafka.records import KafkaRecords
from tests.fakes.kafka import MemoryCluster
from tests.homes import entity, snapshot
from tests.replicas.kafka.partition.shared import HOME, NAMES, OTHER, Shared
from tests.replicas.passes import plan_of, run_of

LARGE = Area(area_id="large", name="x" * 30_000)


def together(shared: Shared, *wanted: tuple[KafkaRecords, str, Snapshot]) -> list[Future[None]]:
    """Have homes write at the same time."""
    plans = [plan_of(home, shared.ledgers[site], desired) for home, site, desired in wanted]
    shared.gather_until(len(wanted))
    with ThreadPoolExecutor(len(wanted)) as threads:
        return [
            threads.submit(home.apply, plan.operations, run_of(home, desired))
            for (home, _, desired), plan in zip(wanted, plans, strict=True)
        ]


def test_homes_share_one_reading_and_one_writer() -> None:
    Shared(cluster := MemoryCluster(NAMES, partitions=1)).filled("a", "b")
    shared = Shared(cluster)
    a, b, c = (shared.home(site) for site in "abc")
    assert a.observe().versions == b.observe().versions == HOME.home.hashes
    assert c.observe().versions == {}
    assert shared.log.calls.count("follow") == shared.log.calls.count("take_over") == 1
    assert shared.log.calls.index("take_over") < shared.log.calls.index("follow")
    assert set(a.read(HOME.home.records)) == set(HOME.home.records)


def test_simultaneous_writes_of_homes_are_one_transaction() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    before = shared.cluster.transactions
    for done in together(shared, (a, "a", OTHER), (b, "b", OTHER)):
        done.result()
    assert shared.cluster.transactions == before + 1
    assert a.observe().versions == b.observe().versions == OTHER.home.hashes


def test_a_record_that_is_too_large_is_its_own_homes_matter() -> None:
    shared = Shared()
    shared.cluster.message_bytes_max = 20_000
    a, b = shared.filled("a", "b")
    large = snapshot(*OTHER.home.records.values(), LARGE)
    of_a, of_b = together(shared, (a, "a", large), (b, "b", OTHER))
    of_b.result()
    with pytest.raises(ReplicaRejected, match=r"1 of \d events as too large \(area/large"):
        of_a.result()
    assert a.observe().versions == b.observe().versions == OTHER.home.hashes


def test_a_failure_invalidates_every_home_and_each_one_raises_it() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    plan = plan_of(b, shared.ledgers["b"], OTHER)
    shared.log.failure = ReplicaUnavailable("kafka", "It is away.")
    with pytest.raises(ReplicaUnavailable, match="It is away"):
        a.data_version()
    assert a.observe().versions == HOME.home.hashes  # on new connections
    with pytest.raises(ReplicaUnavailable, match="It is away"):
        b.apply(
            plan.operations, run_of(b, OTHER)
        )  # it was planned with a state that the failure has invalidated
    assert shared.reconcile(b, OTHER, "b") == 2
    assert a.data_version() == b.data_version() == 0


def test_an_idle_home_raises_the_failure_when_it_next_reads_its_data_version() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    shared.log.failure = ReplicaUnavailable("kafka", "It is away.")
    with pytest.raises(ReplicaUnavailable):
        a.observe()
    with pytest.raises(ReplicaUnavailable, match="It is away"):
        b.data_version()
    assert b.data_version() == 0


def test_homes_see_what_another_home_received_without_a_read_of_their_own() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    assert b.file_signature() is None, "nothing was read yet"
    a.data_version()
    seen = [home.file_signature() for home in (a, b)]
    assert None not in seen
    shared.cluster.put("homes.entity", encode_key("b", entity(1).key), b"junk")
    a.data_version()
    assert a.file_signature() == seen[0]
    assert b.file_signature() not in (None, seen[1]), "a message about it arrived"
    assert b.data_version() == 1
    shared.now += 1
    assert a.file_signature() is None


def test_a_failure_in_one_home_changes_the_file_signature_of_the_others() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    a.data_version()
    seen = b.file_signature()
    shared.log.failure = ReplicaUnavailable("kafka", "It is away.")
    with pytest.raises(ReplicaUnavailable):
        a.data_version()
    assert b.file_signature() != seen
    with pytest.raises(ReplicaUnavailable):
        b.data_version()


def test_reading_the_data_version_never_waits() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    seen: list[int] = []
    shared.gather = lambda: seen.append(b.data_version())
    shared.reconcile(a, OTHER, "a")
    assert seen == [0]


def test_a_claim_that_ended_ends_it_for_all_homes() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    plan = plan_of(a, shared.ledgers["a"], OTHER)
    shared.claim.close()
    written = shared.cluster.transactions
    with pytest.raises(OwnershipLost):
        a.apply(plan.operations, run_of(a, OTHER))
    with pytest.raises(OwnershipLost):
        b.observe()
    assert shared.cluster.transactions == written


def test_a_home_that_ends_leaves_the_others_their_writer() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    a.close()
    assert shared.log.is_writer
    assert shared.reconcile(b, OTHER, "b") == 2
    shared.partition.forget()
    assert not shared.log.is_writer
