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
        self._producer: Producer | None = None  # nothing else refers to it: see `ClusterClients.producer`
        self._is_writer = False

    @property
    def is_open(self) -> bool:
        """Whether there is a usable writer."""
        return self._is_writer

    def take_over(self, batch_bytes: int | None) -> None:
        """Become the writer. `batch_bytes` is the largest batch that the topics accept, if known."""
        self.close()
        seconds = self._clients.timeout_seconds
        self._producer = self._clients.producer(
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
            self._wait(lambda: self._client.init_transactions(_STEP_SECONDS), tried)
            if self._membership is not None:
                self._prove(self._membership)
            self._is_writer = True
        except KafkaException as error:
            raise self._clients.error(error.args[0], tried=tried) from error
        finally:
            if not self._is_writer:
                self.close()

    def _prove(self, membership: Membership) -> None:
        """Write as a member of the group. Raises KafkaException when the brokers do not know the member.

        The offset that this commits is never read. While members join and leave, a proof becomes invalid within moments.
        """
        deadline, tried = self._clients.deadline(), "be written"
        place = TopicPartition(membership.topic, self._partition, 0)
        while True:
            self._client.begin_transaction()
            try:
                self._wait(
                    lambda: self._client.send_offsets_to_transaction(
                        [place], membership.metadata, _STEP_SECONDS
                    ),
                    tried,
                )
                self._wait(lambda: self._client.commit_transaction(_STEP_SECONDS), tried)
            except KafkaException as error:
                is_late = error.args[0].code() == KafkaError.ILLEGAL_GENERATION
                if not is_late or self._clients.is_over(deadline) or not self._abort():
                    raise
                self._client.poll(_STEP_SECONDS)
            else:
                return

    def commit(self, messages: Sequence[Message]) -> list[int]:
        """Write messages in one transaction; returns their offsets. Also raises TooLarge."""
        offsets: list[int] = [-1] * len(messages)
        refused: set[bytes] = set()
        done = partial(_note_delivery, offsets, refused, messages)
        try:
            self._client.begin_transaction()
            for number, message in enumerate(messages):
                self._produce(message, partial(done, number))
            self._wait(lambda: self._client.commit_transaction(_STEP_SECONDS), "be written")
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
        self._is_writer = False
        if self._producer is not None:
            with suppress(KafkaException):
                self._producer.purge(blocking=False)
            self._producer = None

    @property
    def _client(self) -> Producer:
        assert self._producer is not None, "take_over() must come first"
        return self._producer

    def _produce(self, message: Message, done: Callable[[KafkaError | None, Delivered], None]) -> None:
        deadline = self._clients.deadline()
        while True:
            try:
                self._client.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    partition=self._partition,
                    headers=list(message.headers),
                    on_delivery=done,
                )
            except BufferError:  # too many messages are waiting already
                self._client.poll(_STEP_SECONDS)
                self._clients.check(deadline, tried="be written")
            except KafkaException as error:
                if error.args[0].code() in TOO_LARGE:
                    raise _too_large({message.key}) from error
                raise
            else:
                return

    def _wait(self, step: Callable[[], None], tried: str) -> None:
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
                self._client.poll(0)  # lets the callback report what is wrong with the connections
                self._clients.check(None, tried=tried)
            else:
                self._clients.note_answer()
                return

    def _abort(self) -> bool:
        try:
            self._client.abort_transaction(self._clients.timeout_seconds)
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
