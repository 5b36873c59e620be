"""Following topics: messages are written to the view, and it claims no more than it knows, after any failure."""

from pathlib import Path

import msgspec
import pytest

from api.fleet.ports import Standing
from api.fleet.queries import ViewedDevicesQuery
from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.fleet_view import following
from engine.fleet_view.following import (
    ASK_SECONDS,
    DESCRIBE_SECONDS,
    UNANSWERED_SECONDS,
    Follower,
    Pace,
    ViewedTopics,
)
from engine.fleet_view.view_file.reading import ViewReader
from engine.fleet_view.view_file.store import ViewStore
from tests.fleet_view.viewed import DEVICES, PARTITIONS, SITES, MemoryTopics, said_device, said_site
from tests.homes import NOON

AWAY = ReplicaUnavailable("kafka", "Kafka is away.")


class Following:
    """A follower over topics in memory, and a clock that the test moves."""

    def __init__(self, folder: Path, topics: MemoryTopics | None = None) -> None:
        self.topics = topics or MemoryTopics()
        self.elapsed = 0.0
        self.troubles: list[str] = []
        self._path = folder / "view.db"
        self.follower = Follower(
            ViewedTopics("p", PARTITIONS),
            self.topics,
            ViewStore(self._path, self.now),
            Pace(self.now, lambda: self.elapsed, lambda: 1.0),
            self._note,
        )

    def now(self) -> float:
        return NOON + self.elapsed

    def _note(self, error: ReplicaError) -> None:
        self.troubles.append(error.message)

    def steps(self, count: int = 3, seconds: float = 1.0) -> float:
        """So many steps, so far apart; returns the last wait."""
        wait = 0.0
        for _ in range(count):
            wait = self.follower.step()
            self.elapsed += seconds
        return wait

    def names(self) -> list[str]:
        reader = ViewReader(self._path)
        with reader.transaction() as transaction:
            devices, _ = transaction.devices(ViewedDevicesQuery())
        reader.close()
        return sorted(device.name or "" for device in devices)

    @property
    def standing(self) -> Standing:
        return self.follower.standing


@pytest.fixture
def view(tmp_path: Path) -> Following:
    return Following(tmp_path)


def test_everything_is_read_and_then_known_to_be(view: Following) -> None:
    view.topics.put(said_device("a", "d1", "Lamp"), said_device("b", "d1", "Plug"), said_site("a"))
    assert not view.standing.replayed
    view.steps(1)
    assert view.standing.as_of is None
    view.steps(2)
    assert view.names() == ["Lamp", "Plug"]
    assert view.standing == Standing(as_of=NOON, replayed=True, behind=0, revision=view.standing.revision)


def test_the_view_is_as_of_the_question_that_it_caught_up_with(
    view: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MESSAGES_MAX", 10)
    view.topics.put(*(said_device("a", f"d{n}", f"Lamp {n}") for n in range(95)))
    view.steps(5)
    assert view.standing.as_of is None
    assert view.standing.behind == 45
    view.topics.put(*(said_device("a", f"e{n}") for n in range(5)))
    view.steps(5)
    caught_up = view.standing
    assert (caught_up.as_of, caught_up.behind) == (NOON, 0)
    view.steps(int(ASK_SECONDS))
    assert (view.standing.as_of or 0) > NOON


def test_a_request_without_an_answer_is_repeated(view: Following) -> None:
    view.topics.answers = False
    view.steps(3)
    assert view.standing.as_of is None
    view.elapsed = UNANSWERED_SECONDS
    view.topics.answers = True
    view.steps(3)
    assert view.standing.as_of == NOON + UNANSWERED_SECONDS


def test_another_process_goes_on_where_the_file_stands(view: Following, tmp_path: Path) -> None:
    view.topics.put(said_device("a", "d1", "Lamp"))
    view.steps()
    revision = view.standing.revision
    view.topics.put(said_device("a", "d2", "Plug"))
    again = Following(tmp_path, view.topics)
    again.steps()
    place = (DEVICES, said_device("a", "d1").partition)
    assert view.topics.followed[-1][place] == 1
    assert again.names() == ["Lamp", "Plug"]
    assert revision > 0
    again.follower.close()
    assert not view.topics.is_open


def test_what_an_earlier_process_left_is_answered_while_kafka_is_away(
    view: Following, tmp_path: Path
) -> None:
    view.topics.put(said_device("a", "d1", "Lamp"))
    view.steps()
    view.follower.close()
    view.topics.failure = AWAY
    again = Following(tmp_path, view.topics)
    again.steps(1)
    assert again.standing == Standing(as_of=NOON, replayed=False, problem="Kafka is away.")
    assert again.names() == ["Lamp"]
    again.steps()
    assert again.standing.replayed


def test_an_unreachable_kafka_is_reported_once_and_retried(view: Following) -> None:
    view.topics.put(said_device("a", "d1", "Lamp"))
    view.steps()
    waits = []
    for _ in range(3):
        view.topics.failure = AWAY
        waits.append(view.steps(1))
    assert waits == [1.0, 2.0, 4.0]
    assert view.troubles == ["Kafka is away."]
    assert (view.standing.problem, view.standing.behind) == ("Kafka is away.", None)
    assert view.standing.as_of == NOON
    view.topics.put(said_device("a", "d2", "Plug"))
    view.steps()
    assert view.names() == ["Lamp", "Plug"]
    assert view.standing.problem is None
    view.topics.failure = AWAY
    assert view.steps(1) == 1.0
    assert len(view.troubles) == 2


def test_topics_that_are_missing_or_set_up_otherwise_are_named(view: Following) -> None:
    state = view.topics.states.pop(SITES)
    view.steps(1)
    assert "Topic p.sites does not exist. Create the fleet's topics" in str(view.standing.problem)
    view.topics.states[SITES] = state
    view.topics.make(DEVICES, partitions=PARTITIONS + 1)
    view.steps(1)
    assert f"has {PARTITIONS + 1} partitions, but the settings ask for {PARTITIONS}" in str(
        view.standing.problem
    )
    assert f"add partitions={PARTITIONS + 1} to fleet.brokers;" in str(view.standing.problem)
    view.topics.make(DEVICES)
    of_devices = view.topics.states[DEVICES]
    view.topics.states[DEVICES] = msgspec.structs.replace(of_devices, refused=("Read", "Write"))
    view.steps(1)
    assert "This user may not read topic p.device." in str(view.standing.problem)
    view.topics.states[DEVICES] = msgspec.structs.replace(of_devices, refused=("Write",))
    view.steps()
    assert view.standing.replayed


def test_recreated_topics_are_read_again(view: Following) -> None:
    view.topics.put(said_device("a", "d1", "Lamp"))
    view.steps()
    view.topics.make(DEVICES, id_="2")
    view.topics.put(said_device("a", "d2", "Plug"))
    view.elapsed = DESCRIBE_SECONDS + 1
    view.steps(1)
    assert "recreated" in view.troubles[0]
    view.steps(1)
    assert (view.standing.replayed, view.standing.as_of) == (False, None)
    view.steps()
    assert view.names() == ["Plug"]
    assert view.standing.replayed
    view.elapsed += DESCRIBE_SECONDS + 1
    view.steps()
    assert len(view.troubles) == 1


def test_truncated_topics_are_read_again(view: Following) -> None:
    view.topics.put(said_device("a", "d1", "Lamp"))
    view.steps()
    view.topics.is_cut = True
    place = (DEVICES, said_device("a", "d1").partition)
    view.topics.entries[place] = [said_device("a", "d3", "Blind")]
    view.steps(1)
    assert "were truncated" in view.troubles[0]
    view.steps()
    assert view.names() == ["Blind"]
    assert view.topics.followed[-1][place] == 0


def test_an_unusable_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "view.db").write_bytes(b"somebody's" * 1000)
    view = Following(tmp_path)
    view.steps(1)
    assert "view.db" in str(view.standing.problem)
    (tmp_path / "view.db").unlink()
    view.steps()
    assert view.standing.replayed


def test_a_failure_while_writing_loses_nothing(view: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    view.steps()

    def fail(*_: object) -> None:
        raise ReplicaRejected("fleet_view", "The disk is full.")

    view.topics.put(said_device("a", "d1", "Lamp"))
    with monkeypatch.context() as patch:
        patch.setattr(ViewStore, "apply", fail)
        view.steps(1)
    assert view.standing.problem == "The disk is full."
    view.steps()
    assert view.names() == ["Lamp"]


def test_a_file_that_a_reader_finds_damaged_is_replaced(view: Following) -> None:
    view.topics.put(said_device("a", "d1", "Lamp"))
    view.steps()
    view.follower.on_damage(ReplicaDamaged("fleet_view", "view.db is damaged."))
    view.steps(1)
    assert view.standing.problem == "view.db is damaged."
    view.steps()
    assert view.topics.followed[-1][DEVICES, said_device("a", "d1").partition] == 0
    assert view.names() == ["Lamp"]
    assert view.standing.problem is None


def test_large_messages_are_written_before_more_are_read(
    view: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BYTES_MAX", 10)
    view.topics.put(said_device("a", "d1", "x" * 1000))
    view.steps(1)
    assert view.names() == ["x" * 255]
