"""Describes the topics of a cluster, creates missing ones, and finds the first and last offset of each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclOperation,
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from engine.replicas.kafka.cluster.clients import ClusterClients, end_admin
from engine.replicas.kafka.log import Cluster
from engine.replicas.kafka.topics import TopicNames, TopicState, settings_of

_GROUP_REFUSED = KafkaError.GROUP_AUTHORIZATION_FAILED
_NONE_THERE = KafkaError.UNKNOWN_TOPIC_OR_PART
_STEP_SECONDS, _RETRY_SECONDS = 0.05, 0.25
_ATTEMPTS_MAX = 3
# The client's own codes for a response that did not arrive.
_UNHEARD = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT})  # noqa: SLF001
# While a partition changes its leader, or just after a topic was created.
_MOVING = frozenset(
    {
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError._NOENT,  # noqa: SLF001 (the client's own: no partition has a leader yet)
    }
)
_SHOWN = frozenset({"cleanup.policy", "max.message.bytes", "min.insync.replicas", "retention.ms"})


class Administration:
    """Administers the topics of one prefix. Every method raises ReplicaError."""

    def __init__(
        self, clients: ClusterClients, names: TopicNames, partition: int, topics: Sequence[str] = ()
    ) -> None:
        """`topics` are the topics to describe; by default those of one home."""
        self._clients = clients
        self._names = names
        self._topics = list(topics or names.all)
        self._partition = partition
        self._admin: AdminClient | None = None

    def cluster(self) -> Cluster:
        """Request the cluster's description."""
        tried = "be reached"
        found = self._asked(
            lambda admin, seconds: {"": admin.describe_cluster(request_timeout=seconds)}, tried
        )[""]
        if isinstance(found, KafkaError):
            raise self._clients.error(found, tried=tried)
        return Cluster(len(found.nodes))

    def describe(self) -> dict[str, TopicState]:
        """The existing topics."""
        tried, topics = "describe its topics", TopicCollection(self._topics)
        answers = self._asked(
            lambda a, seconds: a.describe_topics(
                topics, include_authorized_operations=True, request_timeout=seconds
            ),
            tried,
        )
        described = {}
        for topic, found in answers.items():
            if not isinstance(found, KafkaError):
                described[topic] = found
            elif found.code() != _NONE_THERE:
                raise self._clients.error(found, tried=tried)
        settings = self._settings(described)
        return {topic: self._state(found, settings[topic]) for topic, found in described.items()}

    def create(self, topics: Sequence[str], *, partitions: int, replicas: int) -> None:
        """Create topics. A topic that another home has created meanwhile is not an error."""
        admin, tried = self._client(), f"make topic {topics[0]}"
        wanted = [
            NewTopic(t, partitions, replicas, config=settings_of(self._names, t, replicas)) for t in topics
        ]
        for found in self._clients.results(admin, admin.create_topics(wanted), tried=tried).values():
            if isinstance(found, KafkaError) and found.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._clients.error(found, tried=tried)
        deadline = self._clients.deadline()
        while not self.describe().keys() >= set(topics):  # until every broker knows them
            admin.poll(_STEP_SECONDS)
            self._clients.check(deadline, tried=tried)

    def check_groups(self, groups: Sequence[str], *, joined: str = "") -> None:
        """Raises ReplicaRejected for a group that this user may not use. Read on one that is `joined` is checked by joining it.

        Without this check, a missing right shows only after everything has been read. No other failure here is an
        error: a coordinator that is down only affects callers that need it.
        """
        tried = "share out the homes" if joined else "be read"
        for group in groups:
            refusal = self._group_refusal(group, tried)
            if refusal is not None:
                raise self._clients.error(refusal, tried=tried)

    def _group_refusal(self, group: str, tried: str) -> KafkaError | None:
        """The error of a group that this user may not use.

        It uses a consumer instead of the admin client, which was seen to abort the process while a group's coordinator cannot
        be found, as in a new cluster (2.16.1; https://github.com/confluentinc/librdkafka/issues/4605, 2026-11-29).
        """
        consumer = self._clients.consumer(**{"group.id": group})
        try:
            for _ in range(round(self._clients.timeout_seconds / _ATTEMPTS_MAX / _RETRY_SECONDS)):
                try:
                    consumer.committed(
                        [TopicPartition(self._topics[0], self._partition)], timeout=_RETRY_SECONDS
                    )
                except KafkaException as error:
                    found: KafkaError = error.args[0]
                    if found.code() == _GROUP_REFUSED:
                        return found
                    if found.code() not in _UNHEARD:
                        return None
                else:
                    return None
                message = consumer.poll(0)  # a coordinator that this user may not look up is reported here
                if message is not None and (refusal := message.error()) and refusal.code() == _GROUP_REFUSED:
                    return refusal
                self._clients.check(None, tried=tried)
        finally:
            consumer.close()
        return None

    def begins(self, topics: Collection[str]) -> dict[str, int]:
        """The offset of the oldest message that each topic still has."""
        return self._offsets(topics, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def ends(self, topics: Collection[str]) -> dict[str, int]:
        """The offset after the last message of each topic, committed or not."""
        return self._offsets(topics, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def _offsets(self, topics: Collection[str], wanted: OffsetSpec) -> dict[str, int]:
        tried, level = "be read", IsolationLevel.READ_UNCOMMITTED
        asked = {TopicPartition(topic, self._partition): wanted for topic in topics}
        deadline = self._clients.deadline()
        while True:
            found = self._asked(
                lambda admin, seconds: admin.list_offsets(
                    asked, isolation_level=level, request_timeout=seconds
                ),
                tried,
            )
            refusals = [answer for answer in found.values() if isinstance(answer, KafkaError)]
            # Without a leader, a partition has an offset below 0, which a reader would mistake for its end.
            if not refusals and all(answer.offset >= 0 for answer in found.values()):
                return {place.topic: answer.offset for place, answer in found.items()}
            if refusals and refusals[0].code() not in _MOVING:
                raise self._clients.error(refusals[0], tried=tried)
            self._clients.check(deadline, tried=tried)
            # A client keeps asking the leader that it knows; a new client finds the current leader.
            self._client().poll(_RETRY_SECONDS)
            self.close()

    def close(self) -> None:
        """Close the client. The next call opens another one."""
        admin, self._admin = self._admin, None
        end_admin(admin)

    def _client(self) -> AdminClient:
        if self._admin is None:
            self._admin = self._clients.admin()
        return self._admin

    def _asked(self, ask: Callable[[AdminClient, float], Mapping[Any, Any]], tried: str) -> dict[Any, Any]:
        """The cluster's response. A client may stick to a broker that is down; a new client asks another broker."""
        seconds = self._clients.timeout_seconds / _ATTEMPTS_MAX
        found: dict[Any, Any] = {}
        for _ in range(_ATTEMPTS_MAX):
            admin = self._client()
            found = self._clients.results(admin, ask(admin, seconds), tried=tried)
            if not all(
                isinstance(answer, KafkaError) and answer.code() in _UNHEARD for answer in found.values()
            ):
                return found
            self.close()
        return found

    def _settings(self, topics: Collection[str]) -> dict[str, Mapping[str, str] | None]:
        """The relevant settings of the topics; None if this user may not read them."""
        if not topics:
            return {}
        resources = {topic: ConfigResource(ResourceType.TOPIC, topic) for topic in topics}
        asked, tried = list(resources.values()), "describe how its topics are set up"
        found = self._asked(
            lambda admin, seconds: admin.describe_configs(asked, request_timeout=seconds), tried
        )
        shown: dict[str, Mapping[str, str] | None] = {}
        for topic, resource in resources.items():
            answer = found[resource]
            if isinstance(answer, KafkaError) and answer.code() in _UNHEARD:
                raise self._clients.error(answer, tried=tried)
            is_hidden = isinstance(answer, KafkaError)
            shown[topic] = None if is_hidden else {n: answer[n].value for n in _SHOWN if n in answer}
        return shown

    def _state(self, found: Any, settings: Mapping[str, str] | None) -> TopicState:
        partitions = {partition.id: partition for partition in found.partitions}
        ours = partitions.get(self._partition)
        return TopicState(
            len(partitions),
            len(ours.replicas) if ours else 0,
            len(ours.isr) if ours else 0,
            settings,
            _refused(found.authorized_operations),
            str(found.topic_id),
        )


def _refused(allowed: Collection[AclOperation] | None) -> tuple[str, ...]:
    """The operations of Read and Write that are not allowed. A broker that does not list the allowed ones refuses the attempt."""
    if not allowed:
        return ()
    needed = {"Read": AclOperation.READ, "Write": AclOperation.WRITE}
    return tuple(name for name, operation in needed.items() if operation not in allowed)
