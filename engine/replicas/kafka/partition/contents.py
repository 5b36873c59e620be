"""The contents of a partition, read to its end and followed; and its writer. One thread at a time.

It is read in full the first time, after any failure, and once in `verify_seconds`; otherwise only new messages are read. The
previous writer is fenced first, so that it cannot append anything after the last message read.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from engine.claims import Claim
from engine.core.counts import plural
from engine.replicas.kafka.address import KafkaAddress
from engine.replicas.kafka.log import Log
from engine.replicas.kafka.messages import Message, SiteKey, encode_key
from engine.replicas.kafka.partition.holding import HeldPartition, SiteRecords
from engine.replicas.kafka.topics import TopicNames, TopicState, check_topics, check_user

_FRESH_SECONDS = 10.0


class PartitionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a partition."""

    address: KafkaAddress
    site: str | None = None  # None: several homes of this process share the partition
    verify_seconds: float = 3_600.0  # how often it is read in full


class PartitionContents:
    """The contents of a partition. Every method raises ReplicaError."""

    def __init__(self, log: Log, options: PartitionOptions, claim: Claim, clock: Callable[[], float]) -> None:
        """Reads nothing yet."""
        self._log = log
        self._options = options
        self._claim = claim
        self._clock = clock
        self.names = TopicNames(options.address.prefix)
        self.topics: dict[str, TopicState] = {}
        self.held: HeldPartition | None = None
        self.data_versions = Counter[str]()  # by home: the number of other programs' writes
        self._ends: dict[str, int] = {}  # of the topics that are followed
        self._read_at = 0.0  # when it was last read in full
        self._ended_at = 0.0  # when it was read up to the end the last time
        self._told_strange = 0
        self._note: str | None = None

    def take_note(self) -> str | None:
        """A warning about the topics; returned once."""
        note, self._note = self._note, None
        return note

    def forget(self) -> None:
        """Discard everything that was read."""
        self.held = None

    def of(self, site: str) -> SiteRecords:
        """The records of one home."""
        return SiteRecords() if self.held is None else self.held.of(site)

    def doubt(self) -> None:
        """Make the next read a full one."""
        self._read_at = float("-inf")

    def listen(self) -> None:
        """Process the messages that have arrived since, without waiting."""
        if self.held is not None and self._ends:
            for entry in self._log.arrived():
                self._note_foreign(self.held.fold(entry))

    def is_fresh(self) -> bool:
        """Whether this process writes here and read up to the end just now; what arrives since is followed."""
        is_followed = self.held is not None and bool(self._ends) and self._log.is_writer
        return is_followed and self._clock() - self._ended_at < _FRESH_SECONDS

    def ready(self, *, refresh: bool, is_writer: bool) -> HeldPartition:
        """The contents; with `refresh`, including everything committed by now. A full read follows a failure, and is due every hour."""
        held = self.held
        is_short = is_writer and bool(self._ends) and not self._log.is_writer
        if held is None or is_short:
            return self.read_in_full(is_writer=is_writer)
        if not refresh:
            return held
        if self._clock() - self._read_at < self._options.verify_seconds and self._ends:
            ends = self._log.ends(self._ends)
            # A topic that ends earlier than before was truncated or recreated.
            if all(ends[topic] >= known for topic, known in self._ends.items()):
                for entry in self._log.read_to(ends):
                    self._note_foreign(held.fold(entry))
                self._ends, self._ended_at = ends, self._clock()
                return held
        return self.read_in_full(is_writer=is_writer)

    def read_in_full(self, *, is_writer: bool) -> HeldPartition:
        """Read every record from the beginning, after fencing the previous writer."""
        before, self.held = self.held, None
        self._claim.check()
        self.topics = self._log.describe()
        check_topics(self.names, self.topics, self._options.address.partitions, self._options.address.setting)
        self._log.check_group()
        followed = [topic for topic in self.names.records if topic in self.topics]
        if followed and is_writer and not self._log.is_writer:
            self.take_over()
        held = HeldPartition(self.names, self._options.site)
        self._ends = self._log.ends(followed) if followed else {}
        if followed:
            self._log.follow(followed)
            for entry in self._log.read_to(self._ends):
                held.fold(entry)
        self._claim.check()
        if before is not None:
            self.data_versions.update(held.changed_sites(before))
        self.held, self._read_at = held, self._clock()
        self._ended_at = self._read_at
        self._note_strange(held)
        if self._options.site is None:
            self._log.rest()  # otherwise many partitions would each keep an idle client open
        return held

    def take_over(self) -> None:
        """Become the partition's writer. Checks the claim before and after, because it may end meanwhile."""
        self._claim.check()
        check_user(self.names, self.topics)
        sizes = [state.number("max.message.bytes") for state in self.topics.values()]
        self._log.take_over(min((size for size in sizes if size), default=None))
        self._claim.check()

    def read_back(
        self, expected: Mapping[SiteKey, str | None], placed: Sequence[tuple[Message, int]]
    ) -> set[SiteKey]:
        """Process messages that were written, with their offsets; returns the records that are not as expected."""
        held = self.held
        assert held is not None, "the partition is read before it is written"
        missing = {one for one, version in expected.items() if version is not None}
        by_key = {encode_key(*one): one for one in expected}
        ours = {(message.topic, offset): message for message, offset in placed}
        ends: dict[str, int] = {}
        for topic, offset in ours:
            if topic != self.names.changes:
                ends[topic] = max(ends.get(topic, 0), offset + 1)
        for entry in self._log.read_to(ends):
            written = ours.get((entry.topic, entry.offset))
            if written is not None and written.is_as_read(entry) and (one := by_key.get(written.key)):
                # Byte for byte the message that was made from the record, whose version is known: no need to decode and hash it.
                held.note(one, entry, None if entry.value is None else expected[one])
                missing.discard(one)
            elif (found := held.fold(entry)) is not None and written is None:
                self._note_foreign(found)
        self._ends |= {topic: max(self._ends.get(topic, 0), end) for topic, end in ends.items()}
        return missing

    def _note_foreign(self, found: SiteKey | None) -> None:
        if found is not None:
            self.data_versions[found.site] += 1

    def _note_strange(self, held: HeldPartition) -> None:
        if held.strange == self._told_strange or held.first_strange is None:
            return
        topic, offset = held.first_strange
        self._told_strange = held.strange
        self._note = (
            f"{plural(held.strange, 'message')} in the topics {'was' if held.strange == 1 else 'were'} not written by this "
            f"program, the first in {topic} at offset {offset}; they are ignored."
        )
