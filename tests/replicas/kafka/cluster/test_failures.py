"""The message for each failure of the client."""

import pytest
from confluent_kafka import KafkaError

from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.failures import replica_error

HOMES = Access(parse_address("kafka://a:9092/homes"))


@pytest.mark.parametrize(
    ("code", "kind", "reported"),
    [
        (KafkaError._TRANSPORT, ReplicaUnavailable, "Check that its brokers run"),
        (KafkaError._AUTHENTICATION, ReplicaRejected, "the user or the password"),
        (KafkaError._SSL, ReplicaRejected, "ssl.ca.location"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ReplicaRejected, "on topics that begin with `homes.`"),
        (
            KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            ReplicaRejected,
            "Create on topics that begin with `homes.`",
        ),
        (
            KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            ReplicaRejected,
            "transactional ids that begin with `homes.`",
        ),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, ReplicaRejected, "groups that begin with `homes.`"),
        (KafkaError._FENCED, ReplicaUnavailable, "another process has become this home's writer"),
        (KafkaError.UNKNOWN_MEMBER_ID, ReplicaUnavailable, "no longer a member of the group"),
        (KafkaError._UNSUPPORTED_FEATURE, ReplicaRejected, "too old"),
        (
            KafkaError.INCONSISTENT_GROUP_PROTOCOL,
            ReplicaUnavailable,
            "another program is in the consumer group",
        ),
        (KafkaError.INVALID_REPLICATION_FACTOR, ReplicaRejected, "replicas=1"),
        (KafkaError.KAFKA_STORAGE_ERROR, ReplicaUnavailable, "disk is full"),
        (KafkaError.NOT_ENOUGH_REPLICAS, ReplicaUnavailable, "too few replicas"),
        (KafkaError.MSG_SIZE_TOO_LARGE, ReplicaRejected, "max.message.bytes"),
        (KafkaError.POLICY_VIOLATION, ReplicaRejected, "policy"),
        (KafkaError.COORDINATOR_NOT_AVAILABLE, ReplicaUnavailable, "its words"),
    ],
)
def test_each_failure_is_a_sentence_with_the_setting_to_change(code: int, kind: type, reported: str) -> None:
    error = replica_error(KafkaError(code, "its words."), HOMES, tried="be written")
    assert type(error) is kind
    assert error.message.startswith("Kafka at a:9092 cannot be written: ")
    assert error.message.endswith(".")
    assert "its words" in error.message
    assert reported in str(error)
    assert error.hint.endswith(".")


def test_the_names_that_the_client_gives_its_connections_are_left_out() -> None:
    access = Access(parse_address("kafka://a:1"))
    said = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"
    error = replica_error(KafkaError(KafkaError._TRANSPORT, said), access, tried="be read")
    assert error.message == (
        "Kafka at a:1 cannot be read: Connect to ipv4#127.0.0.1:1 failed: Connection refused."
    )


@pytest.mark.parametrize("setting", ["records.uri", "records.kafka_uri", "fleet.brokers"])
@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._AUTHENTICATION, KafkaError.INVALID_REPLICATION_FACTOR]
)
def test_what_to_change_in_the_address_is_the_setting_in_use(code: int, setting: str) -> None:
    access = Access(parse_address("kafka://a:1", setting))
    error = replica_error(KafkaError(code), access, tried="be read")
    assert setting in error.hint
    assert "{" not in error.hint
