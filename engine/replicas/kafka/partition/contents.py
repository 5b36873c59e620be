"""What a partition holds, read to its end and followed; and who may write it. One thread at a time.

All of it is read the first time, after any failure, and once in `verify_seconds`; else what came since. Whoever wrote before is
shut out first, so that nothing can land behind what was read.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from engine.claims import Claim
from engine.replicas.kafka.address import KafkaAddress
from engine.replicas.kafka.log import Log
from engine.replicas.kafka.messages import Message, SiteKey
from engine.replicas.kafka.partition.holding import HeldPartition, SiteRecords
from engine.replicas.kafka.topics import TopicNames, TopicState, check_topics, check_user


class PartitionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a partition is kept."""

    address: KafkaAddress
    site: str | None = None  # only this home is kept here, and by nobody else of this process
    verify_seconds: float = 3_600.0  # how often all of it is read anew


class PartitionContents:
    """What stands in a partition. Every method raises ReplicaError."""

    def __init__(self, log: Log, options: PartitionOptions, claim: Claim, clock: Callable[[], float]) -> None:
        """Nothing is read yet."""
        self._log = log
        self._options = options
        self._claim = claim
        self._clock = clock
        self.names = TopicNames(options.address.prefix)
        self.topics: dict[str, TopicState] = {}
        self.held: HeldPartition | None = None
        self.data_versions = Counter[str]()  # by home: how often others wrote
        self._ends: dict[str, int] = {}  # of the topics that are followed
        self._read_at = 0.0  # when all of it was read the last time
        self._told_strange = 0
        self._note: str | None = None

    def take_note(self) -> str | None:
        """What somebody should know of the topics; told once."""
        note, self._note = self._note, None
        return note

    def forget(self) -> None:
        """Nothing that was read is believed any more."""
        self.held = None

    def of(self, site: str) -> SiteRecords:
        """What is held of a home."""
        return SiteRecords() if self.held is None else self.held.of(site)

    def doubt(self) -> None:
        """The next look reads all of it."""
        self._read_at = float("-inf")

    def listen(self) -> None:
        """Take in what arrived since, without waiting."""
        if self.held is not None and self._ends:
            for entry in self._log.arrived():
                self._note_foreign(self.held.fold(entry))

    def ready(self, *, anew: bool, is_writer: bool) -> HeldPartition:
        """What is held; with `anew` all that is committed by now. All of it is read after a failure, and every hour."""
        held = self.held
        is_short = is_writer and bool(self._ends) and not self._log.is_writer
        if held is None or is_short:
            return self.read_anew(is_writer=is_writer)
        if not anew:
            return held
        if self._clock() - self._read_at < self._options.verify_seconds and self._ends:
            ends = self._log.ends(self._ends)
            # A topic that ends before it did was cut, or made anew.
            if all(ends[topic] >= known for topic, known in self._ends.items()):
                for entry in self._log.read_to(ends):
                    self._note_foreign(held.fold(entry))
                self._ends = ends
                return held
        return self.read_anew(is_writer=is_writer)

    def read_anew(self, *, is_writer: bool) -> HeldPartition:
        """Read every record from the beginning, after whoever wrote before cannot write any more."""
        before, self.held = self.held, None
        self._claim.check()
        self.topics = self._log.describe()
        check_topics(self.names, self.topics, self._options.address.partitions, self._options.address.setting)
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
        self._note_strange(held)
        if self._options.site is None:
            self._log.rest()  # of many partitions, for an hour
        return held

    def take_over(self) -> None:
        """Become the partition's writer. The claim is asked before and after: it may end meanwhile."""
        self._claim.check()
        check_user(self.names, self.topics)
        sizes = [state.number("max.message.bytes") for state in self.topics.values()]
        self._log.take_over(min((size for size in sizes if size), default=None))
        self._claim.check()

    def read_back(
        self, expected: dict[SiteKey, str | None], placed: Sequence[tuple[Message, int]]
    ) -> set[SiteKey]:
        """Take in messages that were written, with their offsets; returns the records that are not as expected."""
        held = self.held
        assert held is not None, "it was read before anything is written"
        missing = {one for one, version in expected.items() if version is not None}
        ours = {(message.topic, offset) for message, offset in placed}
        ends: dict[str, int] = {}
        for topic, offset in ours:
            if topic != self.names.changes:
                ends[topic] = max(ends.get(topic, 0), offset + 1)
        for entry in self._log.read_to(ends):
            found = held.fold(entry)
            if found is None:
                continue
            if (entry.topic, entry.offset) not in ours:
                self._note_foreign(found)
            elif held.of(found.site).version(found.key) == expected.get(found):
                missing.discard(found)
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
            f"{held.strange} messages in the topics are not this program's, the first in {topic} at offset {offset}; "
            "they are left alone."
        )
