"""The requests of homes to the partition that they share, and their results."""

from collections.abc import Sequence

from engine.core.counts import plural
from engine.core.records.record import Json, Key
from engine.errors import ReplicaDiverged, ReplicaRejected
from engine.replicas.kafka.events import Sent
from engine.replicas.kafka.log import TooLarge
from engine.replicas.kafka.messages import Message
from engine.replicas.kafka.partition.holding import HeldPartition
from engine.replicas.kafka.partition.rounds import Request
from engine.replicas.kafka.topics import REPLICA


class HomeRequest(Request):
    """One home's request."""

    def __init__(self, site: str, *, is_writer: bool) -> None:
        """`is_writer`: this process will write later, so the previous writer is fenced."""
        super().__init__()
        self.site = site
        self.is_writer = is_writer

    def check(self, held: HeldPartition) -> None:
        """Fail the request when a newer program wrote some of the home's records."""
        try:
            held.of(self.site).check()
        except ReplicaRejected as refusal:
            self.error = refusal


class ObserveRequest(HomeRequest):
    """Read the records of a home."""

    def __init__(self, site: str, *, is_writer: bool, is_first: bool = False) -> None:
        """`is_first`: the home was not read before under this claim."""
        super().__init__(site, is_writer=is_writer)
        self.is_first = is_first
        self.versions: dict[Key, str] = {}
        self.generation = 0

    def answer(self, held: HeldPartition, generation: int) -> None:
        """Set the result: the home's records. Raises the request's error."""
        if self.error is None:
            self.versions, self.generation = held.of(self.site).versions, generation
        self.is_answered = True


class FetchRequest(HomeRequest):
    """Read the newest messages about some records."""

    def __init__(self, site: str, keys: Sequence[Key], *, is_writer: bool) -> None:
        super().__init__(site, is_writer=is_writer)
        self.keys = keys
        self.found: dict[Key, dict[str, Json]] = {}


class WriteRequest(HomeRequest):
    """Write events of one home, which were planned from a read of this `generation`."""

    def __init__(self, site: str, generation: int | None, sent: Sequence[Sent]) -> None:
        super().__init__(site, is_writer=True)
        self.generation = generation
        self.sent = sent
        self.too_large: frozenset[bytes] = frozenset()  # keys; if there are any, nothing was written
        self.records = 0  # of the home after the write
        self.message_bytes_max = 0  # the largest batch that the topics accept, if known

    @property
    def messages(self) -> list[Message]:
        """All messages, in order."""
        return [message for event in self.sent for message in (*event.messages, event.event)]

    @property
    def is_refused(self) -> bool:
        """Whether it was not written."""
        return self.error is not None or bool(self.too_large)

    def refuse(self, error: TooLarge, message_bytes_max: int) -> None:
        """Note messages that the cluster refused as too large."""
        self.message_bytes_max = message_bytes_max
        self.too_large = error.keys or frozenset(message.key for message in self.messages)

    def note_lost(self, keys: set[Key]) -> None:
        """Fail the request: Kafka confirmed these records, but they do not read back."""
        self.error = ReplicaDiverged(
            REPLICA,
            f"Kafka confirmed {plural(len(self.sent), 'event')}, but {len(keys)} of them {'does' if len(keys) == 1 else 'do'} not read back, {min(keys)} first.",
            "They are written again. If this persists, look for another program that writes to the topics.",
        )
