"""The records in Kafka, on a cluster in memory."""

import json

import msgspec
import pytest

from engine.claims import LastingClaim
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Area
from engine.core.records.record_json import canonical_fields
from engine.errors import (
    OwnershipLost,
    ReplicaDiverged,
    ReplicaRejected,
    ReplicaUnavailable,
)
from engine.replicas.kafka.address import KafkaAddress
from engine.replicas.kafka.messages import encode_key
from engine.replicas.kafka.partition.contents import PartitionOptions
from engine.replicas.kafka.partition.partition import Partition
from engine.replicas.kafka.records import KafkaRecords
from engine.replicas.kafka.topics import TopicNames
from tests.fakes.kafka import MemoryCluster, MemoryLog
from tests.fakes.world import MemoryLedger
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import one_pass, plan_of, run_of

NAMES = TopicNames("homes")
HOME = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))


class LosableClaim(LastingClaim):
    is_exclusive = False

    def __init__(self) -> None:
        super().__init__("home", "worker@1")
        self.is_lost = False

    def check(self) -> None:
        if self.is_lost:
            raise OwnershipLost("kafka", "Another process keeps the home now.")


class Kept:
    """A home in memory, and the ledger beside it."""

    def __init__(
        self, *, read_only: bool = False, cluster: MemoryCluster | None = None, site: str = "home"
    ) -> None:
        self.cluster = cluster or MemoryCluster(NAMES)
        self.log = MemoryLog(self.cluster, site)
        self.now = 0.0
        self.claim = LosableClaim()
        options = PartitionOptions(address=KafkaAddress(("a:9092",), "homes", 4), site=site)
        claim = self.claim if site == "home" else LastingClaim(site, "worker@2")
        partition = Partition(self.log, options, claim=claim, clock=lambda: self.now)
        self.records = KafkaRecords(partition, site, claim=claim, read_only=read_only)
        self.ledger = MemoryLedger()

    def reconcile(self, desired: Snapshot) -> int:
        return len(one_pass(self.records, self.ledger, desired).operations)

    def ops(self) -> list[str]:
        return [json.loads(e.value or b"")["op"] for e in self.cluster.entries("homes.changes")]

    def alter(self, name: str, site: str = "home") -> None:
        value = json.dumps({"after": canonical_fields(entity(1, name=name))}).encode()
        self.cluster.put("homes.entity", encode_key(site, entity(1).key), value)


def test_a_pass_is_one_transaction_with_each_event_in_the_feed_of_changes() -> None:
    kept = Kept()
    assert kept.reconcile(HOME) == 3
    assert kept.cluster.transactions == 1
    kept.reconcile(snapshot(ENTRY, device(1, name="Other")))
    assert kept.cluster.transactions == 2
    assert kept.ops() == ["r", "r", "r", "d", "u"]
    assert [e.value is None for e in kept.cluster.entries("homes.entity")] == [False, False, True]


def test_topics_are_made_by_the_first_write_and_not_before() -> None:
    kept = Kept()
    kept.records.observe()
    assert kept.cluster.topics == {}
    assert "take_over" not in kept.log.calls
    kept.reconcile(HOME)
    assert set(kept.cluster.topics) == set(NAMES.all)


def test_a_topic_that_is_missing_alone_is_made_and_filled() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    for thing in (kept.cluster.topics, kept.cluster.states):
        del thing["homes.device"]
    kept.records.close()
    assert kept.reconcile(HOME) == 1
    assert len(kept.cluster.entries("homes.device")) == 1


def test_an_earlier_writer_is_fenced_off_before_anything_is_read() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    later = Kept(cluster=kept.cluster)
    later.records.observe()
    assert later.log.calls.index("take_over") < later.log.calls.index("follow")


def test_another_writer_moves_the_data_version_and_our_own_writes_do_not() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    before = kept.records.data_version()
    kept.reconcile(snapshot(ENTRY, device(1, name="Other"), entity(1, device_id=device(1).id)))
    assert kept.records.data_version() == before
    kept.alter("altered")
    assert kept.records.data_version() == before + 1
    assert kept.records.observe().versions[entity(1).key] == content_hash(entity(1, name="altered"))
    assert kept.reconcile(HOME) == 2
    assert kept.records.data_version() == before + 1


def test_messages_that_arrive_during_a_write_are_noticed() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    before = kept.records.data_version()
    desired = snapshot(ENTRY, device(1), entity(1))
    plan = plan_of(kept.records, kept.ledger, desired)
    kept.alter("altered")
    kept.records.apply(plan.operations, run_of(kept.records, desired))
    assert kept.records.data_version() == before + 1


def test_a_read_takes_only_new_messages_and_everything_once_an_hour() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    kept.log.calls.clear()
    kept.records.observe()
    assert "follow" not in kept.log.calls
    kept.now = 3600.0
    kept.log.calls.clear()
    kept.records.observe()
    assert kept.log.calls == ["describe", "ends", "follow", "read_to"]


def test_a_recreated_topic_is_read_in_full_and_filled() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    kept.cluster.topics["homes.device"].clear()
    assert kept.reconcile(HOME) == 1


def test_compaction_does_not_change_the_held_records() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    kept.reconcile(snapshot(ENTRY, device(1, name="Other"), entity(2)))
    desired = snapshot(ENTRY, device(1, name="Third"), entity(2))
    kept.reconcile(desired)
    for topic in NAMES.records:
        kept.cluster.compact(topic)
    fresh = Kept(cluster=kept.cluster)
    assert fresh.records.observe().versions == desired.home.hashes
    assert set(fresh.records.read(desired.home.records)) == set(desired.home.records)


def test_homes_of_one_prefix_do_not_see_each_other() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    other = Kept(cluster=kept.cluster, site="house")
    assert other.records.observe().versions == {}
    other.reconcile(snapshot(entity(1, name="of the house")))
    before = kept.records.data_version()
    kept.alter("altered", site="house")
    assert kept.records.data_version() == before
    assert kept.reconcile(HOME) == 0


def test_after_a_failure_everything_is_read_again_on_new_connections() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    kept.log.failure = ReplicaUnavailable("kafka", "It is away.")
    with pytest.raises(ReplicaUnavailable):
        kept.records.data_version()
    assert not kept.log.is_writer
    kept.log.calls.clear()
    assert kept.reconcile(HOME) == 0
    assert kept.log.calls == ["describe", "take_over", "ends", "follow", "read_to"]


def test_a_reason_given_by_the_topics_is_reported_instead_of_a_timeout() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    state = kept.cluster.states["homes.area"]
    kept.cluster.states["homes.area"] = msgspec.structs.replace(state, in_sync=1)
    plan = plan_of(kept.records, kept.ledger, snapshot(ENTRY))
    kept.log.commit_failure = ReplicaUnavailable("kafka", "It took too long.")
    with pytest.raises(ReplicaUnavailable, match=r"homes\.area has 1 of the 2 up-to-date replicas"):
        kept.records.apply(plan.operations, run_of(kept.records, HOME))


def test_a_message_that_does_not_read_back_does_not_count_as_written() -> None:
    kept = Kept()
    kept.cluster.is_forgetful = True
    with pytest.raises(ReplicaDiverged, match="3 of them do not read back"):
        kept.reconcile(HOME)
    kept.cluster.is_forgetful = False
    assert kept.reconcile(HOME) == 3


def test_a_record_that_is_too_large_is_named_and_the_others_are_written() -> None:
    kept = Kept()
    kept.cluster.message_bytes_max = 20_000
    large = Area(area_id="large", name="x" * 30_000)
    desired = snapshot(ENTRY, device(1), large)
    with pytest.raises(ReplicaRejected, match=r"1 of 3 events as too large \(area/large with 3") as refused:
        kept.reconcile(desired)
    assert refused.value.unwritten == frozenset({tuple(large.key)})
    assert set(kept.records.observe().versions) == {ENTRY.key, device(1).key}


def test_a_reader_writes_nothing_and_fences_off_no_writer() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    looking = Kept(cluster=kept.cluster, read_only=True)
    plan = plan_of(looking.records, looking.ledger, snapshot(ENTRY, device(1, name="Other")))
    with pytest.raises(ReplicaRejected, match="reading only"):
        looking.records.apply(plan.operations, run_of(looking.records, HOME))
    assert "take_over" not in looking.log.calls


def test_a_lost_home_is_not_read_or_written() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    plan = plan_of(kept.records, kept.ledger, snapshot(ENTRY, device(1)))
    kept.claim.is_lost = True
    written = kept.cluster.transactions
    with pytest.raises(OwnershipLost):
        kept.records.apply(plan.operations, run_of(kept.records, HOME))
    with pytest.raises(OwnershipLost):
        kept.records.observe()
    assert kept.cluster.transactions == written


def test_what_an_earlier_owner_left_is_distinguished_until_it_is_recorded() -> None:
    kept = Kept()
    assert not kept.records.observe().is_inherited  # other programs may write at any time
    kept.claim.is_exclusive = True
    partition = kept.records._partition
    records = KafkaRecords(partition, "home", claim=kept.claim)
    assert records.observe().is_inherited
    assert records.observe().is_inherited
    one_pass(records, kept.ledger, HOME)
    records.upkeep(HOME, run_of(records, HOME))
    assert not records.observe().is_inherited


def test_messages_of_others_are_reported_once() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    kept.cluster.put("homes.device", b"rubbish", b"x")
    kept.records.close()
    kept.records.observe()
    note = kept.records.take_note()
    assert note is not None
    assert (
        "1 message in the topics was not written by this program, the first in homes.device at offset" in note
    )
    kept.records.close()
    kept.records.observe()
    assert kept.records.take_note() is None


def test_a_value_that_is_no_record_is_drift_and_healed() -> None:
    kept = Kept()
    kept.reconcile(HOME)
    kept.cluster.put("homes.entity", encode_key("home", entity(1).key), b"rubbish")
    [operation] = plan_of(kept.records, kept.ledger, HOME).operations
    assert operation.before is not None
    assert operation.before.fields == {"payload": "rubbish"}
    kept.reconcile(HOME)
    assert kept.records.observe().versions == HOME.home.hashes


def test_only_the_newest_version_is_to_be_had() -> None:
    kept = Kept()
    assert not hasattr(kept.records, "timeline")
    assert kept.records.file_signature() is None
