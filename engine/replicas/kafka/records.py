"""Kafka as a records store: the newest event of each record in compacted topics, and every change in a feed of its own.

All of a home stands in one partition of each topic, so its order is that of its events. A pass is one transaction: readers
of committed messages see all of it or nothing. What is held is known from reading the topics to their end, is read back
after each write, and is followed while the process runs, so that what somebody else writes is seen. Earlier versions
are not kept: compaction drops them.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import msgspec

from engine.claims import Claim
from engine.core.compare.plan import Operation
from engine.core.compare.stored import StoredRow
from engine.core.records.record import Key
from engine.errors import ReplicaDiverged, ReplicaError, ReplicaRejected
from engine.ports import Observed, Replica, Run
from engine.replicas.kafka.events import Sent, Writer, events_of
from engine.replicas.kafka.holding import HeldRecords
from engine.replicas.kafka.log import Log, TooLarge
from engine.replicas.kafka.messages import encode_key, fields_in
from engine.replicas.kafka.topics import REPLICA, TopicNames, TopicState, check_topics, shortage_of

T = TypeVar("T")

_ATTEMPTS_MAX = 3
_NAMED_MAX = 5


class KafkaOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one home is kept in a prefix's topics."""

    site: str
    prefix: str
    partitions: int
    verify_seconds: float = 3_600.0  # how often all of it is read anew
    read_only: bool = False
    setting: str = "records.uri"  # which names the cluster, for messages


class KafkaRecords(Replica):
    """Kafka as a `Replica`. One thread at a time. Every method raises ReplicaError."""

    name = REPLICA
    stores_derived = False

    def __init__(self, log: Log, options: KafkaOptions, *, claim: Claim, clock: Callable[[], float]) -> None:
        """Nothing is connected yet. `clock` gives seconds and never jumps."""
        assert claim.covers(options.site)
        self._log = log
        self._options = options
        self._claim = claim
        self._clock = clock
        self._names = TopicNames(options.prefix)
        self._topics: dict[str, TopicState] = {}
        self._held: HeldRecords | None = None
        self._ends: dict[str, int] = {}  # of the topics that are followed
        self._read_at = 0.0  # when all of it was read the last time
        self._data_version = 0
        self._told_strange = 0
        self._note: str | None = None

    @property
    def is_exclusive(self) -> bool:
        """Whether the claim keeps all others from writing the home's records."""
        return self._claim.is_exclusive

    def data_version(self) -> int:
        """A number that changes when a message about this home arrives that we did not write."""
        return self._guarded(self._listen)

    def file_signature(self) -> Hashable | None:
        """None: only the data version shows it."""
        return None

    def observe(self) -> Observed:
        """The versions of all records, hashed from their payloads.

        All of it is read the first time, after any failure, and once in `verify_seconds`; else what came since.
        """
        return Observed(dict(self._guarded(self._observe).versions))

    def read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        """What the newest messages of the given keys say."""
        return self._guarded(lambda: self._read(keys))

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        """Write one event per operation (a changed id: two) in one transaction, and read them back.

        Raises ReplicaDiverged when the read-back differs, and ReplicaRejected after the rest was written when some
        records are larger than the cluster takes.
        """
        if not operations:
            return
        total, refused = self._guarded(lambda: self._apply(operations, run))
        if refused:
            raise _refusal(refused, total)

    def take_note(self) -> str | None:
        """What somebody should know of the topics; told once."""
        note, self._note = self._note, None
        return note

    @property
    def strange(self) -> int:
        """How many messages are no program's of this kind, as of the last look."""
        return self._held.strange if self._held is not None else 0

    def close(self) -> None:
        """Close all connections. May be called twice; what is used afterwards opens them again."""
        self._held = None
        self._log.close()

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do the work. After a failure nothing is believed, and the next attempt begins with new connections."""
        try:
            return work()
        except BaseException:
            self.close()
            raise

    def _listen(self) -> int:
        if self._held is not None and self._ends:
            for entry in self._log.arrived():
                self._data_version += self._held.fold(entry) is not None
        return self._data_version

    def _observe(self) -> HeldRecords:
        held = self._held
        if held is not None and self._clock() - self._read_at < self._options.verify_seconds and self._ends:
            ends = self._log.ends(self._ends)
            # A topic that ends before it did was cut, or made anew.
            if all(ends[topic] >= known for topic, known in self._ends.items()):
                for entry in self._log.read_to(ends):
                    self._data_version += held.fold(entry) is not None
                self._ends = ends
                return held
        return self._read_anew()

    def _read_anew(self) -> HeldRecords:
        """Read every record from the beginning, after whoever wrote before cannot write any more."""
        self._held = None
        self._claim.check()
        self._topics = self._log.describe()
        check_topics(self._names, self._topics, self._options.partitions, self._options.setting)
        followed = [topic for topic in self._names.records if topic in self._topics]
        if followed and not self._options.read_only and not self._log.is_writer:
            self._take_over()
        held = HeldRecords(self._options.site, self._names)
        self._ends = self._log.ends(followed) if followed else {}
        if followed:
            self._log.follow(followed)
            for entry in self._log.read_to(self._ends):
                held.fold(entry)
        self._claim.check()
        self._held, self._read_at = held, self._clock()
        self._note_strange(held)
        return held

    def _take_over(self) -> None:
        self._claim.check()
        sizes = [state.number("max.message.bytes") for state in self._topics.values()]
        self._log.take_over(min((size for size in sizes if size), default=None))
        self._claim.check()

    def _read(self, keys: Iterable[Key]) -> dict[Key, StoredRow]:
        held = self._held if self._held is not None else self._observe()
        found = {}
        for topic, places in held.places(keys).items():
            for offset, entry in self._log.fetch(topic, sorted(places)).items():
                fields = fields_in(entry, places[offset])
                if fields is not None:
                    found[places[offset]] = StoredRow(places[offset], fields)
        return found

    def _apply(self, operations: Sequence[Operation], run: Run) -> tuple[int, dict[Key, int]]:
        """Write; returns how many events there were, and which records are larger than the cluster takes."""
        if self._options.read_only:
            what = "Kafka was opened to look only, so nothing is written to it."
            raise ReplicaRejected(REPLICA, what, "Run without --dry-run.")
        held = self._held if self._held is not None else self._observe()
        self._claim.check()
        sent = list(
            events_of(
                operations,
                run,
                Writer(self._options.site, self._names, self._claim.owner),
                is_filling=not held.versions,
            )
        )
        missing = [topic for topic in self._names.all if topic not in self._topics]
        if missing:
            self._log.create(missing)
            held = self._read_anew()
        if not self._log.is_writer:
            self._take_over()
        return len(sent), self._write(sent, held)

    def _write(self, sent: Sequence[Sent], held: HeldRecords) -> dict[Key, int]:
        """Write and read back; returns what is larger than the cluster takes, with its size."""
        refused: dict[Key, int] = {}
        for _ in range(_ATTEMPTS_MAX):
            chosen = [event for event in sent if event.key not in refused]
            messages = [message for event in chosen for message in (*event.messages, event.event)]
            try:
                offsets = self._log.commit(messages) if messages else []
            except TooLarge as error:
                refused |= self._oversized(chosen, error.keys)
                self._take_over()
            except ReplicaError as error:
                raise self._explained(error) from error
            else:
                placed = zip(messages, offsets, strict=True)
                ours = {(m.topic, offset): m.value is not None for m, offset in placed}
                self._read_back(chosen, ours, held)
                return refused
        raise ReplicaRejected(
            REPLICA,
            f"The cluster refuses messages as too large whichever are left out, {min(refused)} among them.",
            "Raise max.message.bytes of the topics.",
        )

    def _read_back(
        self, chosen: Sequence[Sent], ours: dict[tuple[str, int], bool], held: HeldRecords
    ) -> None:
        expected = {event.key: event.version for event in chosen}
        ends: dict[str, int] = {}
        for topic, offset in ours:
            if topic != self._names.changes:
                ends[topic] = max(ends.get(topic, 0), offset + 1)
        missing = {key: version for key, version in expected.items() if version is not None}
        for entry in self._log.read_to(ends):
            key = held.fold(entry)
            if key is None:
                continue
            if (entry.topic, entry.offset) not in ours:
                self._data_version += 1
            elif held.versions.get(key) == expected[key]:
                missing.pop(key, None)
        self._ends |= {topic: max(self._ends.get(topic, 0), end) for topic, end in ends.items()}
        if missing:
            raise ReplicaDiverged(
                REPLICA,
                f"Kafka confirmed {len(chosen)} events, but {len(missing)} of them do not read back, {min(missing)} first.",
                "They are written again. If it stays so, look for another writer of the topics.",
            )

    def _oversized(self, chosen: Sequence[Sent], keys: frozenset[bytes]) -> dict[Key, int]:
        """Which records cannot be written: those of the refused that are larger than a topic takes, or the largest."""
        self._topics = self._log.describe()
        named = [event for event in chosen if encode_key(self._options.site, event.key) in keys] or chosen
        sizes = {event.key: event.size for event in named}
        limits = [state.number("max.message.bytes") or 0 for state in self._topics.values()]
        limit = min(limits, default=0)
        over = {key: size for key, size in sizes.items() if limit and size > limit}
        largest = max(sizes, key=lambda key: (sizes[key], key))
        return over or {largest: sizes[largest]}

    def _explained(self, error: ReplicaError) -> ReplicaError:
        """The error, or the better reason that the topics give: the client only says that it took too long."""
        if not error.transient:
            return error
        try:
            found = self._log.describe()
        except ReplicaError:
            return error
        shortages = (shortage_of(topic, state) for topic, state in sorted(found.items()))
        if (shortage := next((s for s in shortages if s), None)) is None:
            return error
        return type(error)(
            REPLICA, f"{shortage}.", "Start the brokers that are away. Nothing is lost meanwhile."
        )

    def _note_strange(self, held: HeldRecords) -> None:
        if held.strange == self._told_strange or held.first_strange is None:
            return
        topic, offset = held.first_strange
        self._told_strange = held.strange
        self._note = (
            f"{held.strange} messages in the topics are not this program's, the first in {topic} at offset {offset}; "
            "they are left alone."
        )


def _refusal(refused: dict[Key, int], total: int) -> ReplicaRejected:
    named = ", ".join(f"{key} with {refused[key]:,} bytes" for key in sorted(refused)[:_NAMED_MAX])
    error = ReplicaRejected(
        REPLICA,
        f"Kafka refused {len(refused)} of {total} events as too large ({named}); the others were written.",
        "Raise max.message.bytes of the topics, and message.max.bytes of the brokers.",
    )
    error.unwritten = frozenset(refused)
    return error
