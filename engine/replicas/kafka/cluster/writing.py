"""The writer of a home or a partition. Messages go in transactions, which are committed as a whole or not at all.

A writer has an epoch. A later writer with the same name aborts the open transaction of an earlier one, and the brokers refuse
all later messages of that one. A failed commit ends the writer too: aborting after a timeout was seen to fail, and to abort the
process, while a new writer always starts from a known state.

A writer with a claim on a partition proves with its first transaction that it is a member of the consumer group. Otherwise a
process that lost its claim without noticing could create a writer and fence its successor.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Delivered

from engine.core.counts import plural
from engine.replicas.kafka.cluster.clients import ClusterClients
from engine.replicas.kafka.cluster.failures import TOO_LARGE
from engine.replicas.kafka.log import TooLarge
from engine.replicas.kafka.messages import Message
from engine.replicas.kafka.topics import REPLICA

_STEP_SECONDS = 0.1
_TRANSACTION_SECONDS_MIN = 60.0
_BATCH_BYTES = 1_000_000
# The client's limit; the cluster has its own.
_MESSAGE_BYTES_MAX = 64 * 1024 * 1024
_LATER = frozenset({KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE})  # noqa: SLF001


class Membership:
    """The proof to the brokers that this process is in the group, as of its latest poll.

    The polling thread writes it; threads that create writers read it.
    """

    def __init__(self, topic: str) -> None:
        """`topic` is the topic that the group subscribes to."""
        self.topic = topic
        self.metadata: Any = None  # an object of librdkafka; None: not in the group yet


class PartitionWriter:
    """Writes to a partition. Every method raises ReplicaError."""

    def __init__(
        self, clients: ClusterClients, partition: int, writer: str, membership: Membership | None = None
    ) -> None:
        """`writer` is unique to this home or partition, and the same for every process that writes it."""
        self._clients = clients
        self._partition = partition
        self._writer = writer
        self._membership = membership
        self._producer: Producer | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a usable writer."""
        return self._producer is not None

    def take_over(self, batch_bytes: int | None) -> None:
        """Become the writer. `batch_bytes` is the largest batch that the topics accept, if known."""
        self.close()
        seconds = self._clients.timeout_seconds
        producer = self._clients.producer(
            **{
                "transactional.id": self._writer,
                "transaction.timeout.ms": int(1000 * max(_TRANSACTION_SECONDS_MIN, 2 * seconds)),
                "message.timeout.ms": int(1000 * seconds),
                "message.max.bytes": _MESSAGE_BYTES_MAX,
                "batch.size": min(_BATCH_BYTES, batch_bytes or _BATCH_BYTES),
                # The compression that every client can read without another library.
                "compression.type": "gzip",
                # Twice as fast as the default, for messages a tenth larger; it limits how fast many homes start.
                "compression.level": 1,
            }
        )
        tried = "be written"
        try:
            self._wait(producer, partial(producer.init_transactions, _STEP_SECONDS), tried)
            if self._membership is not None:
                self._prove(producer, self._membership)
        except KafkaException as error:
            raise self._clients.error(error.args[0], tried=tried) from error
        self._producer = producer

    def _prove(self, producer: Producer, membership: Membership) -> None:
        """Write as a member of the group. Raises KafkaException when the brokers do not know the member.

        The offset that this commits is never read. While members join and leave, a proof becomes invalid within moments.
        """
        deadline, tried = self._clients.deadline(), "be written"
        place = TopicPartition(membership.topic, self._partition, 0)
        while True:
            producer.begin_transaction()
            send = partial(producer.send_offsets_to_transaction, [place], membership.metadata, _STEP_SECONDS)
            try:
                self._wait(producer, send, tried)
                self._wait(producer, partial(producer.commit_transaction, _STEP_SECONDS), tried)
            except KafkaException as error:
                is_late = error.args[0].code() == KafkaError.ILLEGAL_GENERATION
                if not is_late or self._clients.is_over(deadline) or not self._abort(producer):
                    raise
                producer.poll(_STEP_SECONDS)
            else:
                return

    def commit(self, messages: Sequence[Message]) -> list[int]:
        """Write messages in one transaction; returns their offsets. Also raises TooLarge."""
        producer = self._producer
        assert producer is not None, "take_over() must come first"
        offsets: list[int] = [-1] * len(messages)
        refused: set[bytes] = set()
        done = partial(_note_delivery, offsets, refused, messages)
        try:
            producer.begin_transaction()
            for number, message in enumerate(messages):
                self._produce(producer, message, partial(done, number))
            self._wait(producer, partial(producer.commit_transaction, _STEP_SECONDS), "be written")
        except KafkaException as error:
            # Not aborted: the next writer ends the open transaction. Under load a process was seen to die of "BUG: Invalid transaction
            # state transition" (2.16.1, 2026-11-29), as librdkafka does when an abort follows a commit that timed out.
            self.close()
            if refused:
                raise _too_large(refused) from error
            raise self._clients.error(error.args[0], tried="be written") from error
        except BaseException:
            self.close()  # the next writer finds out whether it was committed
            raise
        return offsets

    def close(self) -> None:
        """Close the writer and drop its uncommitted messages."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaException):
                producer.purge(blocking=False)

    def _produce(
        self, producer: Producer, message: Message, done: Callable[[KafkaError | None, Delivered], None]
    ) -> None:
        deadline = self._clients.deadline()
        while True:
            try:
                producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    partition=self._partition,
                    headers=list(message.headers),
                    on_delivery=done,
                )
            except BufferError:  # too many messages are waiting already
                producer.poll(_STEP_SECONDS)
                self._clients.check(deadline, tried="be written")
            except KafkaException as error:
                if error.args[0].code() in TOO_LARGE:
                    raise _too_large({message.key}) from error
                raise
            else:
                return

    def _wait(self, producer: Producer, step: Callable[[], None], tried: str) -> None:
        """Repeat a step until it does not time out. Raises KafkaException for any other failure."""
        deadline = self._clients.deadline()
        while True:
            try:
                step()
            except KafkaException as error:
                found: KafkaError = error.args[0]
                is_final = found.fatal() or found.txn_requires_abort() or self._clients.is_over(deadline)
                if is_final or not (found.retriable() or found.code() in _LATER):
                    raise
                producer.poll(0)  # lets the callback report what is wrong with the connections
                self._clients.check(None, tried=tried)
            else:
                self._clients.note_answer()
                return

    def _abort(self, producer: Producer) -> bool:
        try:
            producer.abort_transaction(self._clients.timeout_seconds)
        except KafkaException:
            return False
        return True


def _note_delivery(
    offsets: list[int],
    refused: set[bytes],
    messages: Sequence[Message],
    number: int,
    error: KafkaError | None,
    delivered: Delivered,
) -> None:
    if error is None:
        offsets[number] = delivered.offset() or 0
    elif error.code() in TOO_LARGE:
        refused.add(messages[number].key)


def _too_large(keys: set[bytes]) -> TooLarge:
    error = TooLarge(
        REPLICA,
        f"{plural(len(keys), 'message')} {'is' if len(keys) == 1 else 'are'} larger than the cluster accepts.",
    )
    error.keys = frozenset(keys)
    return error
