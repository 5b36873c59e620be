"""What librdkafka says went wrong, as an error of the replica: what was tried, where, why, and what to change."""

from typing import NamedTuple

from confluent_kafka import KafkaError

from engine.errors import ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.kafka.topics import REPLICA

# ruff: noqa: SLF001 (librdkafka's own codes begin with an underscore)


class KnownFailure(NamedTuple):
    """What some of librdkafka's codes mean: `reason` completes a sentence, `advice` is one."""

    codes: frozenset[int]
    kind: type[ReplicaError]
    reason: str
    advice: str


TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
# Of connections: they say why a call came to nothing, which itself says no more than that it took too long.
AWAY = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._SSL})
# Whoever answers so will answer so again.
HOPELESS = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
    }
)
_KNOWN = (
    KnownFailure(
        HOPELESS,
        ReplicaRejected,
        "it does not accept the user or the password",
        "Check records.username, records.password_file and the sasl option of {setting}.",
    ),
    KnownFailure(
        frozenset({KafkaError._SSL}),
        ReplicaRejected,
        "no TLS connection",
        "Use kafkas:// only for a listener with TLS, and name the certificate authority as ssl.ca.location in "
        "records.properties_file.",
    ),
    KnownFailure(
        frozenset(
            {
                KafkaError.TOPIC_AUTHORIZATION_FAILED,
                KafkaError.CLUSTER_AUTHORIZATION_FAILED,
                KafkaError.GROUP_AUTHORIZATION_FAILED,
                KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            }
        ),
        ReplicaRejected,
        "this user may not do that",
        "Allow it to describe, read and write the prefix's topics and to use transactional ids and groups with that "
        "prefix, and to create topics, or make them yourself.",
    ),
    KnownFailure(
        frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}),
        ReplicaUnavailable,
        "another process has become this home's writer, or this one was held up for too long",
        "Let only one process keep a home, and give each home a site.name of its own.",
    ),
    KnownFailure(
        frozenset(
            {
                KafkaError._UNSUPPORTED_FEATURE,
                KafkaError.UNSUPPORTED_VERSION,
                KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
            }
        ),
        ReplicaRejected,
        "the broker is too old",
        "Update it to Kafka 2.4 or later.",
    ),
    KnownFailure(
        frozenset({KafkaError.INVALID_REPLICATION_FACTOR}),
        ReplicaRejected,
        "the cluster has fewer brokers than each topic shall have replicas",
        "With one broker add replicas=1 to {setting}; with more, start the others.",
    ),
    KnownFailure(
        frozenset({KafkaError.KAFKA_STORAGE_ERROR}),
        ReplicaUnavailable,
        "a broker's disk is full or fails",
        "Make room on that disk.",
    ),
    KnownFailure(
        frozenset({KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND}),
        ReplicaUnavailable,
        "too few replicas are up to date",
        "Start the brokers that are away.",
    ),
    KnownFailure(
        TOO_LARGE,
        ReplicaRejected,
        "a message is too large",
        "Raise max.message.bytes of the topic and message.max.bytes of the brokers.",
    ),
    KnownFailure(
        frozenset({KafkaError.POLICY_VIOLATION}),
        ReplicaRejected,
        "a policy of the cluster forbids it",
        "Make the topics yourself.",
    ),
)


def replica_error(error: KafkaError, where: str, *, tried: str, setting: str = "records.uri") -> ReplicaError:
    """The error to raise: `tried` says what did not work ("be written"), `where` is the cluster that `setting` names."""
    what, said = f"Kafka at {where} cannot {tried}", _plain(error.str())
    for known in _KNOWN:
        if error.code() in known.codes:
            return known.kind(
                REPLICA, f"{what}: {known.reason} ({said}).", known.advice.format(setting=setting)
            )
    return ReplicaUnavailable(
        REPLICA, f"{what}: {said}.", f"Check that its brokers run and that {setting} names them."
    )


def _plain(text: str) -> str:
    """Librdkafka's words without its own names for threads and connections, and without the full stop."""
    text = text.removeprefix("Local: ").removeprefix("Broker: ")
    _, found, rest = text.partition("/bootstrap: ")
    return (rest if found else text).rstrip(". ")
