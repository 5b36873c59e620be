"""Follows the topics into the file: reads committed messages, writes them, and determines the time up to which the view has everything.

To find that time, it requests the ends of Kafka's partitions and reads up to them: then the view has everything that was committed at
the time of the request, and has waited for the end of open transactions. It sends the next request only after that, because with a busy
fleet it would otherwise never catch up.

One thread at a time. External faults do not end it: an unreachable Kafka, missing or wrong topics and a file that cannot be written are
reported and retried.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from api.fleet.ports import Standing
from engine.core.state.backoff import Backoff
from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.fleet_view.folding import Folding
from engine.fleet_view.ports import Topics
from engine.fleet_view.view_file.schema import TopicsIdentity
from engine.fleet_view.view_file.store import ViewStore
from engine.fleet_view.view_file.writing import Place
from engine.replicas.kafka.topics import REPLICA, TopicNames, TopicState, check_topics

TOPICS_READ = ("sites", "device")
MESSAGES_MAX = 5_000  # messages in one transaction
BYTES_MAX = 8_388_608  # after a read larger than this, the transaction is written at once
GATHER_SECONDS = 0.5  # seconds of reading for one transaction
ASK_SECONDS = 5.0  # seconds between two requests for the ends of partitions
UNANSWERED_SECONDS = 20.0
DESCRIBE_SECONDS = 60.0  # seconds between checks that the topics are still the same
_KEEP_SECONDS = 60.0  # seconds between two updates of the time up to which the view has everything
_RETRY_SECONDS_MAX = 30.0


class ViewedTopics(msgspec.Struct, frozen=True):
    """The topics of the view."""

    prefix: str
    partitions: int

    @property
    def names(self) -> TopicNames:
        """Their names."""
        return TopicNames(self.prefix)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that the view reads."""
        return tuple(map(self.names.of, TOPICS_READ))


class Pace(msgspec.Struct, frozen=True):
    """The clocks, and a random number from 0 to 1 that spreads the waits of processes."""

    wall: Callable[[], float]  # Unix seconds
    elapsed: Callable[[], float]  # monotonic, seconds
    draw: Callable[[], float]


class Follower:
    """Call `step` repeatedly; each call takes about a second at most. Any thread may read `standing`."""

    def __init__(
        self,
        fleet: ViewedTopics,
        topics: Topics,
        store: ViewStore,
        pace: Pace,
        on_trouble: Callable[[ReplicaError], None],
    ) -> None:
        """Reads nothing yet. `on_trouble` receives each problem once until it is over."""
        self._fleet = fleet
        self._topics = topics
        self._store = store
        self._pace = pace
        self._on_trouble = on_trouble
        self._backoff = Backoff(1.0, _RETRY_SECONDS_MAX, pace.draw)
        self._folding = Folding(fleet.names, fleet.partitions)
        self._question = _Question()
        self._identity: TopicsIdentity | None = None  # None: not following
        self._described_at = self._kept_at = 0.0
        self._found_damage: ReplicaDamaged | None = None
        self.standing = Standing()

    def on_damage(self, error: ReplicaDamaged) -> None:
        """Note that a reader found the file damaged. From any thread."""
        self._found_damage = error

    def step(self) -> float:
        """Read what has arrived; returns the seconds until the next step."""
        try:
            damage, self._found_damage = self._found_damage, None
            if damage is not None:
                self._store.distrust()
                raise damage
            if self._identity is None:
                self._begin()
            else:
                self._look_at_topics()
            self._read()
        except ReplicaError as error:
            self._stop(error)
            return self._backoff.next_delay_for_store(is_transient=error.transient, asked_seconds=0.0)
        return 0.0

    def close(self) -> None:
        """Close the connections to Kafka, and the file."""
        self._identity = None
        self._topics.close()
        self._store.close()

    def _begin(self) -> None:
        identity = self._describe()
        held = self._store.begin(identity)
        places = [(topic, number) for topic in self._fleet.topics for number in range(self._fleet.partitions)]
        self._topics.follow({place: held.get(place, 0) for place in places})
        self._identity = identity
        self._question = _Question()
        self._described_at = self._pace.elapsed()
        as_of = self._store.as_of(self._fleet.prefix, self._fleet.partitions)
        if as_of is None:
            self._tell(as_of=None, replayed=False)
        else:
            self._tell(as_of=max(as_of, self.standing.as_of or as_of))

    def _describe(self) -> TopicsIdentity:
        """Describe the topics. Raises ReplicaError when they cannot be read as those of a fleet."""
        found = self._topics.describe()
        for topic in self._fleet.topics:
            if topic not in found:
                raise ReplicaUnavailable(
                    REPLICA,
                    f"Topic {topic} does not exist.",
                    "Create the fleet's topics with `reconcile fleet topics create`, or correct fleet.prefix.",
                )
            if "Read" in found[topic].refused:
                raise ReplicaRejected(
                    REPLICA,
                    f"This user may not read topic {topic}.",
                    "Grant it Describe and Read on the topic.",
                )
        check_topics(self._fleet.names, found, self._fleet.partitions, "fleet.brokers")
        return _identity_of(self._fleet, found)

    def _look_at_topics(self) -> None:
        """Start over if the topics were recreated."""
        if self._pace.elapsed() - self._described_at < DESCRIBE_SECONDS:
            return
        if self._describe() != self._identity:
            raise ReplicaUnavailable(
                REPLICA, "The topics were recreated.", "They are read again from the beginning."
            )
        self._described_at = self._pace.elapsed()

    def _read(self) -> None:
        self._ask()
        began, count = self._pace.elapsed(), 0
        while count < MESSAGES_MAX and (left := GATHER_SECONDS - (self._pace.elapsed() - began)) > 0:
            entries, is_cut = self._topics.take(MESSAGES_MAX - count, left)
            if is_cut:
                self._store.discard()
                raise ReplicaUnavailable(
                    REPLICA,
                    "The topics were truncated or recreated.",
                    "They are read again from the beginning.",
                )
            if not entries:
                break
            count += len(entries)
            self._folding.read(entries, self._pace.wall())
            if sum(len(entry.value or b"") for entry in entries) > BYTES_MAX:
                break
        at = self._question.reached_at(self._topics.positions)
        self._write(count, at)
        if not count:
            self._store.rest()

    def _write(self, count: int, at: float | None) -> None:
        is_first = at is not None and not self.standing.replayed
        is_due = at is not None and self._pace.elapsed() - self._kept_at >= _KEEP_SECONDS
        if count or is_first or is_due:
            self._store.apply(self._folding.take(self._topics.positions, at))
            self._kept_at = self._pace.elapsed() if at is not None else self._kept_at
        if at is not None:
            self._backoff.reset()
            self._tell(as_of=at, replayed=True, problem=None)
        else:
            self._tell()

    def _ask(self) -> None:
        """Request the ends of the partitions, or take the response."""
        now = self._pace.elapsed()
        if self._question.is_due(now):
            self._question.ask(self._pace.wall(), now)
            self._topics.ask_ends()
        elif (ends := self._topics.ends()) is not None:
            self._question.answer(ends)

    def _stop(self, error: ReplicaError) -> None:
        """Close everything; the next step continues from the file."""
        self._identity = None
        self._folding = Folding(self._fleet.names, self._fleet.partitions)
        self._topics.close()
        text = str(error)
        if text != self.standing.problem:
            self._on_trouble(error)
        as_of = self.standing.as_of
        if as_of is None:
            with suppress(ReplicaError):  # the content from an earlier process is still valid for its time
                as_of = self._store.as_of(self._fleet.prefix, self._fleet.partitions)
        self._tell(as_of=as_of, problem=text, behind=None)

    def _tell(self, **changes: object) -> None:
        if "behind" not in changes:
            changes["behind"] = self._topics.behind()
        self.standing = msgspec.structs.replace(self.standing, revision=self._store.revision, **changes)


class _Question:
    """The ends of Kafka's partitions at the time of a request, and whether everything up to them was read."""

    def __init__(self) -> None:
        self._asked_at: float | None = None  # Unix seconds
        self._elapsed = 0.0
        self._ends: Mapping[Place, int] | None = None
        self._is_reached = False

    def is_due(self, elapsed: float) -> bool:
        """Whether it is time for the next request."""
        if self._asked_at is None:
            return True
        waited = elapsed - self._elapsed
        if self._ends is None:
            return waited >= UNANSWERED_SECONDS
        return self._is_reached and waited >= ASK_SECONDS

    def ask(self, wall: float, elapsed: float) -> None:
        """Note that a request is sent now."""
        self._asked_at, self._elapsed, self._ends, self._is_reached = wall, elapsed, None, False

    def answer(self, ends: Mapping[Place, int]) -> None:
        """Note the response."""
        self._ends = ends

    def reached_at(self, positions: Mapping[Place, int]) -> float | None:
        """The time of the request, once everything up to those ends was read; returned once."""
        if self._ends is None or self._is_reached:
            return None
        self._is_reached = all(positions[place] >= end for place, end in self._ends.items())
        return self._asked_at if self._is_reached else None


def _identity_of(fleet: ViewedTopics, found: Mapping[str, TopicState]) -> TopicsIdentity:
    return TopicsIdentity(fleet.prefix, fleet.partitions, {topic: found[topic].id for topic in fleet.topics})
