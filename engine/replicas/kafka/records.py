"""Kafka as a records store: the newest event of each record in compacted topics, and every change in a separate feed.

A home is in one partition of each topic, so its messages are in the order of its events. A pass writes one transaction: readers
of committed messages see all of it or nothing. The replica reads the topics to their end, reads its own writes back, and follows
the topics while the process runs, so it notices other programs' writes. The homes of one claim share all of that
(`partition.py`). Earlier versions are not kept: compaction drops them.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from engine.claims import Claim
from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.errors import ReplicaRejected
from engine.ports import Observed, Replica, Run
from engine.replicas.kafka.events import Sent, Writer, events_of
from engine.replicas.kafka.messages import encode_key
from engine.replicas.kafka.partition.partition import Partition
from engine.replicas.kafka.partition.requests import FetchRequest, ObserveRequest, WriteRequest
from engine.replicas.kafka.topics import REPLICA

T = TypeVar("T")

_ATTEMPTS_MAX = 3
_NAMED_MAX = 5


class KafkaRecords(Replica):
    """Kafka as a `Replica`. One thread at a time. Every method raises ReplicaError."""

    name = REPLICA
    stores_derived = False

    def __init__(self, partition: Partition, site: str, *, claim: Claim, read_only: bool = False) -> None:
        """Connects to nothing yet. `claim` is the claim on the home's partition."""
        assert claim.covers(site)
        self._partition = partition
        self._site = site
        self._claim = claim
        self._read_only = read_only
        self._generation: int | None = (
            None  # of the last read; None: there was none, or it is no longer valid
        )
        self._is_empty = True
        self._is_new = True  # nothing was read yet
        self._is_inherited = (
            claim.is_exclusive
        )  # until a pass of this claim has recorded the topics' versions in the ledger

    @property
    def is_exclusive(self) -> bool:
        """Whether the claim keeps other programs from writing the home's records."""
        return self._claim.is_exclusive

    def data_version(self) -> int:
        """A number that changes when a message about this home arrives that we did not write.

        Raises a failure since the last read, even if another home of the partition caused it.
        """
        return self._guarded(self._data_version)

    def file_signature(self) -> Hashable | None:
        """A value that is equal while `data_version` is; None if no home of the partition has listened lately."""
        return self._partition.signature(self._site)

    def observe(self) -> Observed:
        """The versions of all records, hashed from their payloads."""
        return Observed(self._guarded(self._observe), self._is_inherited)

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        """The records in the newest messages of the given keys."""
        return self._guarded(lambda: self._read(list(keys)))

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        """Write one event per operation (a changed id: two) in one transaction, and read them back.

        Raises ReplicaDiverged when the read-back differs. When some records are larger than the cluster accepts, writes the
        others and then raises ReplicaRejected.
        """
        if not operations:
            return
        total, refused = self._guarded(lambda: self._apply(operations, run))
        if refused:
            raise _refusal(refused, total)

    def upkeep(self, _desired: Snapshot, _run: Run) -> None:
        """Note that the ledger now agrees with the topics, so that any other message is from another program."""
        self._is_inherited = False

    def take_note(self) -> str | None:
        """A warning about the topics; returned once, and to one of the homes that share the partition."""
        return self._partition.take_note()

    @property
    def strange(self) -> int:
        """The number of messages that no version of this program wrote, as of the last read."""
        return self._partition.strange

    def close(self) -> None:
        """Close the connections that only this home uses. May be called twice; later use opens them again."""
        self._generation = None
        if self._partition.options.site is not None:
            self._partition.forget()

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do the work. After a failure, discard everything that was known about the home."""
        try:
            return work()
        except BaseException:
            self.close()
            raise

    def _data_version(self) -> int:
        version = self._partition.data_version(self._site)
        self._partition.check(self._generation)
        return version

    def _observe(self) -> dict[Key, str]:
        look = ObserveRequest(self._site, is_writer=not self._read_only, is_first=self._is_new)
        self._is_new = False
        self._partition.look(look)
        self._generation, self._is_empty = look.generation, not look.versions
        return look.versions

    def _read(self, keys: Sequence[Key]) -> dict[Key, StoredRow]:
        self._partition.check(self._generation)
        fetch = FetchRequest(self._site, keys, is_writer=not self._read_only)
        self._partition.fetch(fetch)
        return {key: StoredRow(key, fields) for key, fields in fetch.found.items()}

    def _apply(self, operations: Sequence[Operation], run: Run) -> tuple[int, dict[Key, int]]:
        """Write; returns the number of events, and which records are larger than the cluster accepts."""
        if self._read_only:
            what = "Kafka was opened for reading only, so nothing is written to it."
            raise ReplicaRejected(REPLICA, what, "Run without --dry-run.")
        if self._generation is None:
            self._observe()
        self._claim.check()
        writer = Writer(self._site, self._partition.names, self._claim.owner)
        sent = list(events_of(operations, run, writer, is_filling=self._is_empty))
        return len(sent), self._write(sent)

    def _write(self, sent: Sequence[Sent]) -> dict[Key, int]:
        """Write and read back; returns the size of each record that is larger than the cluster accepts."""
        refused: dict[Key, int] = {}
        for _ in range(_ATTEMPTS_MAX):
            chosen = [event for event in sent if event.key not in refused]
            write = WriteRequest(self._site, self._generation, chosen)
            if chosen:
                self._partition.write(write)
                self._is_empty = not write.records
            if not write.too_large:
                return refused
            refused |= self._oversized(write)
        raise ReplicaRejected(
            REPLICA,
            f"The cluster refuses messages as too large, whichever are left out; {min(refused)} is one of them.",
            "Raise max.message.bytes of the topics.",
        )

    def _oversized(self, write: WriteRequest) -> dict[Key, int]:
        """The records that cannot be written: the refused ones that are larger than a topic accepts, or else the largest."""
        named = [e for e in write.sent if encode_key(self._site, e.key) in write.too_large] or write.sent
        sizes = {event.key: event.size for event in named}
        limit = write.message_bytes_max
        over = {key: size for key, size in sizes.items() if limit and size > limit}
        largest = max(sizes, key=lambda key: (sizes[key], key))
        return over or {largest: sizes[largest]}


def _refusal(refused: dict[Key, int], total: int) -> ReplicaRejected:
    named = ", ".join(f"{key} with {refused[key]:,} bytes" for key in sorted(refused)[:_NAMED_MAX])
    rest = "; the others were written" if len(refused) < total else ""
    error = ReplicaRejected(
        REPLICA,
        f"Kafka refused {len(refused)} of {total} events as too large ({named}){rest}.",
        "Raise max.message.bytes of the topics, and message.max.bytes of the brokers.",
    )
    error.unwritten = frozenset(refused)
    return error
