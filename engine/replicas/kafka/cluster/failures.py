"""Turns librdkafka's errors into errors of the replica: what was tried, where, why, and what to change."""

from typing import NamedTuple

from confluent_kafka import KafkaError

from engine.errors import ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.connecting import Finding
from engine.replicas.kafka.topics import REPLICA

# ruff: noqa: SLF001 (librdkafka's own codes begin with an underscore)


class KnownFailure(NamedTuple):
    """The meaning of some of librdkafka's codes: `reason` completes a sentence; `advice` is a whole sentence."""

    codes: frozenset[int]
    kind: type[ReplicaError]
    reason: str
    advice: str


_RIGHTS = "`reconcile docs kafka` has the commands."
_ALERT = "SSL alert number"  # the broker ended the handshake
_NO_CERTIFICATE = Finding(
    "the broker does not accept this client's certificate, or asks for one",
    "Name one that its authority signed as ssl.certificate.location, and its key as ssl.key.location, in records.properties_file.",
)
TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
# Connection errors: they explain why a call failed, while the call itself only reports a timeout.
AWAY = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._SSL})
# A cluster that gives one of these answers will give it again.
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
        frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED}),
        ReplicaRejected,
        "this user lacks a right to a topic",
        "Grant it Read and Write on topics that begin with `{prefix}.`, and Create where it is to make them. "
        + _RIGHTS,
    ),
    KnownFailure(
        frozenset({KafkaError.CLUSTER_AUTHORIZATION_FAILED}),
        ReplicaRejected,
        "this user lacks a right to the cluster",
        "Grant it Create on topics that begin with `{prefix}.`, or let another user make them. " + _RIGHTS,
    ),
    KnownFailure(
        frozenset({KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED}),
        ReplicaRejected,
        "this user may not use the transactional id",
        "Grant it Write on transactional ids that begin with `{prefix}.`. " + _RIGHTS,
    ),
    KnownFailure(
        frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED}),
        ReplicaRejected,
        "this user may not use the consumer group",
        "Grant it Read on groups that begin with `{prefix}.`. " + _RIGHTS,
    ),
    KnownFailure(
        frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}),
        ReplicaUnavailable,
        "another process has become this home's writer, or this process was delayed for too long",
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
        frozenset(
            {
                KafkaError.ILLEGAL_GENERATION,
                KafkaError.UNKNOWN_MEMBER_ID,
                KafkaError.REBALANCE_IN_PROGRESS,
                KafkaError.FENCED_INSTANCE_ID,
            }
        ),
        ReplicaUnavailable,
        "this process is no longer a member of the group that assigns the homes",
        "It rejoins by itself. If this persists, look for machines that are frozen, or cut off from the brokers, for longer "
        "than fleet.session_seconds.",
    ),
    KnownFailure(
        frozenset({KafkaError.INCONSISTENT_GROUP_PROTOCOL}),
        ReplicaUnavailable,
        "another program is in the consumer group of the fleet and uses another assignment strategy",
        "Keep it out of the group `{prefix}.workers`, or choose another fleet.prefix.",
    ),
    KnownFailure(
        frozenset({KafkaError.INVALID_REPLICATION_FACTOR}),
        ReplicaRejected,
        "the cluster has fewer brokers than the number of replicas of each topic",
        "With one broker add replicas=1 to {setting}; with more, start the others.",
    ),
    KnownFailure(
        frozenset({KafkaError.KAFKA_STORAGE_ERROR}),
        ReplicaUnavailable,
        "a broker's disk is full or fails",
        "Free space on that disk.",
    ),
    KnownFailure(
        frozenset({KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND}),
        ReplicaUnavailable,
        "too few replicas are up to date",
        "Start the brokers that are down.",
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
        "Create the topics yourself.",
    ),
)


def replica_error(
    error: KafkaError, access: Access, *, tried: str, finding: Finding | None = None
) -> ReplicaError:
    """The error to raise: `tried` names what failed ("be written"), `finding` is a better reason than the client's."""
    what, said = f"Kafka at {access.where} cannot {tried}", _plain(error.str())
    address = access.address
    if finding is None and _ALERT in said:
        finding = _NO_CERTIFICATE
    if finding is not None:
        return ReplicaRejected(REPLICA, f"{what}: {finding.reason}.", finding.advice)
    for known in _KNOWN:
        if error.code() in known.codes:
            advice = known.advice.format(setting=address.setting, prefix=address.prefix)
            return known.kind(REPLICA, f"{what}: {known.reason} ({said}).", advice)
    user = "" if access.username else ", and that they accept clients without a user (records.username)"
    return ReplicaUnavailable(
        REPLICA, f"{what}: {said}.", f"Check that its brokers run, that {address.setting} names them{user}."
    )


def _plain(text: str) -> str:
    """Librdkafka's message without its own names for threads and connections, and without the full stop."""
    text = text.removeprefix("Local: ").removeprefix("Broker: ")
    _, found, rest = text.partition("/bootstrap: ")
    return (rest if found else text).rstrip(". ")
