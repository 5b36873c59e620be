"""What the doctor finds in a good and in a bad Kafka."""

import msgspec

from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.doctor import examine_kafka
from engine.replicas.kafka.topics import TopicNames
from tests.fakes.kafka import MemoryCluster, MemoryLog

NAMES = TopicNames("homes")
ADDRESS = parse_address("kafka://a/homes?partitions=4")


def made() -> tuple[MemoryCluster, MemoryLog]:
    cluster = MemoryCluster(NAMES)
    return cluster, MemoryLog(cluster, "home")


def words(log: MemoryLog) -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.found) for check in examine_kafka(log, ADDRESS, "home")}


def test_a_healthy_cluster_is_reported_and_nothing_is_written() -> None:
    cluster, log = made()
    assert words(log)["topics"][1].endswith("do not exist yet; the first pass that writes creates them")
    log.create(NAMES.all)
    found = words(log)
    assert {status for status, _ in found.values()} == {"ok"}
    assert found["cluster"][1] == "3 brokers at kafka://a:9092/homes"
    assert found["topics"][1] == "8 topics; this home is partition 0 of 4 in each"
    assert found["records"][1] == "0 records of home"
    assert cluster.transactions == 0
    assert "take_over" not in log.calls


def test_a_cluster_that_is_away_ends_the_checks() -> None:
    _, log = made()
    log.failure = ReplicaUnavailable("kafka", "Kafka is away.", "Start it.")
    [check] = examine_kafka(log, ADDRESS, "home")
    assert (check.name, check.status, check.advice) == ("cluster", "failed", "Start it.")


def test_every_fault_is_reported() -> None:
    cluster, log = made()
    cluster.brokers = 1
    log.create(NAMES.all)
    cluster.put("homes.device", b"rubbish", b"x")
    state = cluster.states["homes.area"]
    cluster.states["homes.area"] = msgspec.structs.replace(state, in_sync=1)
    found = words(log)
    assert found["cluster"][0] == "warning"
    assert found["replicas"] == (
        "failed",
        "Topic homes.area has 1 of the 2 up-to-date replicas that min.insync.replicas asks for, so the cluster accepts "
        "no writes",
    )
    assert found["messages"] == (
        "warning",
        "1 message was not written by this program, the first in homes.device at offset 0",
    )


def test_topics_that_cannot_be_used_end_the_checks() -> None:
    cluster, log = made()
    log.create(NAMES.all)
    cluster.states["homes.area"] = msgspec.structs.replace(cluster.states["homes.area"], partitions=5)
    checks = examine_kafka(log, ADDRESS, "home")
    assert [(c.name, c.status) for c in checks] == [("cluster", "ok"), ("topics", "failed")]


def test_a_group_that_the_user_may_not_use_ends_the_checks() -> None:
    _, log = made()
    log.create(NAMES.all)
    log.group_failure = ReplicaRejected(
        "kafka", "This user may not use the consumer group.", "Grant it Read."
    )
    checks = examine_kafka(log, ADDRESS, "home")
    assert [(c.name, c.status) for c in checks][-1] == ("rights", "failed")
    assert checks[-1].advice == "Grant it Read."
    assert "read_to" not in log.calls
