"""A partition of a prefix's topics that all homes of one claim share: one writer, one full read, one follower of new messages.

The first thread that finds the partition idle serves the requests of all homes: the writes of several homes share one
transaction, and each home gets its own failure. A failure of the partition invalidates everything that was known about it: the
next request creates a new writer and reads the partition in full, and a home writes nothing until it has read again.
"""

import math
from collections.abc import Callable, Hashable, Sequence

from engine.claims import Claim
from engine.errors import EngineError, ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.kafka.log import Log, TooLarge
from engine.replicas.kafka.messages import Message, SiteKey, fields_in
from engine.replicas.kafka.partition.contents import PartitionContents, PartitionOptions
from engine.replicas.kafka.partition.holding import HeldPartition
from engine.replicas.kafka.partition.requests import FetchRequest, ObserveRequest, WriteRequest
from engine.replicas.kafka.partition.rounds import Rounds, copied_error
from engine.replicas.kafka.topics import REPLICA, shortage_of

# If one home has listened this recently, the others need not listen in a thread.
_LATELY_SECONDS = 1.0


class Partition:
    """The partition that the homes of a claim share. Thread-safe. Every method raises ReplicaError."""

    def __init__(
        self,
        log: Log,
        options: PartitionOptions,
        *,
        claim: Claim,
        clock: Callable[[], float],
        gather: Callable[[], object] | None = None,
    ) -> None:
        """Connects to nothing yet. `clock` is monotonic, in seconds; `gather` waits a moment for the writes of other homes."""
        self._log = log
        self._claim = claim
        self._gather = gather
        self._clock = clock
        self._listened_at = -math.inf
        self._contents = PartitionContents(log, options, claim, clock)
        self._rounds = Rounds[ObserveRequest | FetchRequest | WriteRequest](self._answer, claim.check)
        self._failure: EngineError = ReplicaUnavailable(REPLICA, "Nothing was read yet.")
        self.options = options
        self.names = self._contents.names
        self.generation = 0  # increases with each failure

    def look(self, look: ObserveRequest) -> None:
        """Read the committed records of a home."""
        self._rounds.ask(look)

    def fetch(self, fetch: FetchRequest) -> None:
        """Read some messages again."""
        self._rounds.ask(fetch)

    def write(self, write: WriteRequest) -> None:
        """Write events, maybe in one transaction with those of other homes, and read them back. Also raises ReplicaDiverged."""
        self._rounds.ask(write, self._gather)

    def data_version(self, site: str) -> int:
        """A number that changes when a message about the home arrives that we did not write. Does not wait for other homes."""
        self._rounds.do_if_idle(self._listen)
        return self._contents.data_versions[site]

    def signature(self, site: str) -> Hashable | None:
        """A value that is equal while `data_version` is; None if no home has listened lately. Never waits, for the event loop."""
        is_shared = self.options.site is None
        if not is_shared or self._clock() - self._listened_at >= _LATELY_SECONDS:
            return None
        return self.generation, self._contents.data_versions.get(site, 0)

    def check(self, generation: int | None) -> None:
        """Raises the latest failure if it invalidated the knowledge of that generation."""
        if generation is not None and generation != self.generation:
            raise copied_error(self._failure)

    @property
    def strange(self) -> int:
        """The number of messages that no version of this program wrote, as of the last read."""
        held = self._contents.held
        return held.strange if held is not None else 0

    @property
    def waiting(self) -> int:
        """The number of requests that wait to be served."""
        return self._rounds.waiting

    def take_note(self) -> str | None:
        """A warning about the topics; returned once."""
        return self._contents.take_note()

    def forget(self) -> None:
        """Close all connections, unless they are in use. Later requests open them again."""
        self._rounds.do_if_idle(self._let_go)

    def _let_go(self) -> None:
        self._contents.forget()
        self._log.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do the work. After a failure, discard what was known; the next attempt uses new connections."""
        try:
            work()
        except BaseException as error:
            cut_off = ReplicaUnavailable(REPLICA, "Reading or writing Kafka was cut off.")
            self._failure = error if isinstance(error, EngineError) else cut_off
            self.generation += 1
            self._let_go()
            raise

    def _listen(self) -> None:
        self._guarded(self._contents.listen)
        self._listened_at = self._clock()

    # One round

    def _answer(self, requests: Sequence[ObserveRequest | FetchRequest | WriteRequest]) -> None:
        self._guarded(lambda: self._answer_all(requests))

    def _answer_all(self, requests: Sequence[ObserveRequest | FetchRequest | WriteRequest]) -> None:
        self._claim.check()
        looks = [request for request in requests if isinstance(request, ObserveRequest)]
        fetches = [request for request in requests if isinstance(request, FetchRequest)]
        writes = [request for request in requests if isinstance(request, WriteRequest)]
        is_writer = any(request.is_writer for request in requests)
        held = self._contents.ready(refresh=any(map(self._wants_newest, looks)), is_writer=is_writer)
        for request in requests:
            request.check(held)
        for look in looks:
            look.answer(held, self.generation)
        self._fetch([fetch for fetch in fetches if fetch.error is None], held)
        for write in writes:
            if (
                write.generation != self.generation
            ):  # it was compared with a state that a failure has invalidated
                write.error = self._failure
        if left := [write for write in writes if not write.is_refused]:
            self._write(left)

    def _wants_newest(self, look: ObserveRequest) -> bool:
        """Whether to request the ends of the topics: not again for each home that starts, because no other program may write."""
        return not (look.is_first and self._claim.is_exclusive and self._contents.is_fresh())

    def _fetch(self, fetches: Sequence[FetchRequest], held: HeldPartition) -> None:
        by_site = {fetch.site: fetch for fetch in fetches}
        wanted = [SiteKey(fetch.site, key) for fetch in fetches for key in fetch.keys]
        for topic, places in held.places(wanted).items():
            for offset, entry in self._log.fetch(topic, sorted(places)).items():
                site, key = places[offset]
                try:
                    fields = fields_in(entry, key)
                except ReplicaRejected as refusal:
                    by_site[site].error = refusal
                    continue
                if fields is not None:
                    by_site[site].found[key] = fields

    def _write(self, writes: Sequence[WriteRequest]) -> None:
        contents = self._contents
        if missing := [topic for topic in self.names.all if topic not in contents.topics]:
            self._log.create(missing)
            contents.read_in_full(is_writer=True)
        if not self._log.is_writer:
            contents.take_over()
        placed: list[tuple[Message, int]] = []
        self._claim.check()
        self._commit(writes, placed)
        written = [write for write in writes if not write.is_refused]
        expected = {SiteKey(w.site, event.key): event.version for w in written for event in w.sent}
        missing_records = contents.read_back(expected, placed)
        for write in written:
            write.records = len(contents.of(write.site))
            if lost := {one.key for one in missing_records if one.site == write.site}:
                contents.doubt()
                write.note_lost(lost)

    def _commit(self, writes: Sequence[WriteRequest], placed: list[tuple[Message, int]]) -> None:
        """Write everything in one transaction. Each home gets its own error for messages that are too large for the cluster."""
        messages = [message for write in writes for message in write.messages]
        try:
            offsets = self._log.commit(messages)
        except TooLarge as error:
            # After an abort the writer would continue with sequence numbers that the broker has not seen (4.1.2).
            self._contents.take_over()
            if len(writes) == 1:
                self._refuse(writes[0], error)
                return
            blamed = [w for w in writes if any(m.key in error.keys for m in w.messages)] or list(writes)
            if others := [write for write in writes if write not in blamed]:
                self._commit(others, placed)
            for write in blamed:
                self._commit([write], placed)
        except ReplicaError as error:
            raise self._explained(error) from error
        else:
            placed += zip(messages, offsets, strict=True)

    def _refuse(self, write: WriteRequest, error: TooLarge) -> None:
        self._contents.topics = topics = self._log.describe()
        limits = [state.number("max.message.bytes") or 0 for state in topics.values()]
        write.refuse(error, min(limits, default=0))

    def _explained(self, error: ReplicaError) -> ReplicaError:
        """The error, or a better reason from the state of the topics: the client only reports a timeout."""
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
            REPLICA, f"{shortage}.", "Start the brokers that are down. Nothing is lost meanwhile."
        )
