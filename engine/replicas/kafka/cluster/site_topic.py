"""The topic `sites` on its cluster: one client that sends and one that reads, for all homes of a process.

Neither is transactional: a status expires within two minutes, and claims decide between two owners.
"""

from collections.abc import Sequence
from contextlib import suppress

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Delivered

from engine.errors import ReplicaUnavailable
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.clients import ClusterClients
from engine.replicas.kafka.cluster.reading import entry_of
from engine.replicas.kafka.sites.site_topic import Arrived, Outgoing
from engine.replicas.kafka.topics import REPLICA, TopicNames

_AT_ONCE = 1_000
_STEP_SECONDS = 0.1
# After this time, a status that could not be sent is out of date.
_SENDING_SECONDS_MAX = 15.0
_END = KafkaError._PARTITION_EOF  # noqa: SLF001
_SENT, _READ = "be sent the status of homes", "return the status of homes"


class ClusterSiteTopic:
    """See `SiteTopic`. Every method raises ReplicaError or nothing."""

    def __init__(self, access: Access) -> None:
        """Connects to nothing yet."""
        names = TopicNames(access.address.prefix)
        self.name = names.sites
        self.partitions = access.address.partitions
        self._clients = ClusterClients(access)
        self._group = names.of("statuses")  # only identifies the reader to brokers that authorise by group
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._failure: KafkaError | None = None
        self._ended = set[int]()

    def send(self, messages: Sequence[Outgoing]) -> None:
        """See `SiteTopic`."""
        producer = self._producer = self._producer or self._made_producer()
        for partition, message in messages:
            try:
                producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    partition=partition,
                    headers=list(message.headers),
                    on_delivery=self._note_delivery,
                )
            except BufferError as error:
                raise ReplicaUnavailable(
                    REPLICA, f"Kafka cannot {_SENT}: too many messages are waiting already."
                ) from error
            except KafkaException as error:
                raise self._clients.error(error.args[0], tried=_SENT) from error
        producer.poll(0)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise self._clients.error(failure, tried=_SENT)

    def flush(self, seconds: float) -> None:
        """See `SiteTopic`."""
        producer = self._producer
        if producer is not None:
            with suppress(KafkaException):
                producer.flush(seconds)

    def arrived(self) -> Sequence[Arrived]:
        """See `SiteTopic`."""
        return self._take(0)

    def read_all(self) -> Sequence[Arrived]:
        """All messages in the topic now. Waits for them."""
        deadline, found = self._clients.deadline(), list(self._take(_STEP_SECONDS))
        while len(self._ended) < self.partitions:
            found += self._take(_STEP_SECONDS)
            self._clients.check(deadline, tried=_READ)
        return found

    def has_read(self, partition: int) -> bool:
        """See `SiteTopic`."""
        return partition in self._ended

    def close(self) -> None:
        """See `SiteTopic`."""
        producer, self._producer = self._producer, None
        consumer, self._consumer = self._consumer, None
        self._failure, self._ended = None, set()
        self._clients.forget()
        if producer is not None:
            with suppress(KafkaException):
                producer.purge(blocking=False)
            producer.close()
        if consumer is not None:
            consumer.close()

    def _take(self, seconds: float) -> list[Arrived]:
        if self._consumer is None:
            self._consumer = self._made_consumer()
            self._consumer.assign(
                [TopicPartition(self.name, n, OFFSET_BEGINNING) for n in range(self.partitions)]
            )
        consumer, found = self._consumer, []
        while messages := consumer.consume(_AT_ONCE, timeout=seconds):
            for message in messages:
                error, partition = message.error(), message.partition()
                assert partition is not None, "the client reports the offset of every message"
                if error is None:
                    found.append(Arrived(partition, entry_of(message)))
                elif error.code() == _END:
                    self._ended.add(partition)
                else:
                    raise self._clients.error(error, tried=_READ)
            self._clients.note_answer()
            if seconds:
                break
        self._clients.check(None, tried=_READ)
        return found

    def _made_consumer(self) -> Consumer:
        return self._clients.consumer(
            **{
                "group.id": self._group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                # So that another program's open transaction does not block this reader.
                "isolation.level": "read_uncommitted",
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 8_192,
            }
        )

    def _made_producer(self) -> Producer:
        return self._clients.producer(
            **{
                "enable.idempotence": True,  # keeps the order of one home's messages
                "message.timeout.ms": int(1000 * _SENDING_SECONDS_MAX),
                "linger.ms": 50,
                "compression.type": "gzip",
            }
        )

    def _note_delivery(self, error: KafkaError | None, _delivered: Delivered) -> None:
        if error is None:
            self._clients.note_answer()
        else:
            self._failure = error
