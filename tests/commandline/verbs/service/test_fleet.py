"""`reconcile fleet`: what the cluster says of processes and topics, printed."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.commandline.arguments.parser import parse
from engine.commandline.verbs.service import fleet as module
from engine.commandline.verbs.service.fleet import run_fleet
from engine.errors import SettingsError
from engine.replicas.kafka.fleet import Worker
from engine.replicas.kafka.topics import TopicNames, TopicState, settings_of


class MemoryFleet:
    """A cluster with two processes, of which nothing is asked over a network."""

    def __init__(self) -> None:
        self.names = TopicNames("homes")
        self.partitions = 2
        self.found = {topic: self._state(topic) for topic in self.names.all}
        self.members: tuple[Worker, ...] = (Worker("one", "h1", (0,)), Worker("two", "h2", (1,)))

    def _state(self, topic: str) -> TopicState:
        return TopicState(2, 3, 3, settings_of(self.names, topic, 3))

    def topics(self) -> dict[str, TopicState]:
        return self.found

    def create(self, topics: Sequence[str]) -> None:
        self.found = self.found | {topic: self._state(topic) for topic in topics}

    def workers(self) -> tuple[Worker, ...]:
        return self.members


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryFleet:
    made = MemoryFleet()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites.d").mkdir()
    for number in range(6):
        text = '[source]\nuri = "storage:."\n'
        (tmp_path / "sites.d" / f"home{number}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "reconcile.toml").write_text('[sites]\ndirectory = "sites.d"\n', encoding="utf-8")
    monkeypatch.setattr(module, "open_fleet", lambda _loaded: made)
    return made


def test_the_status_has_each_process_with_its_homes(
    cluster: MemoryFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fleet(parse(["fleet", "status", "--json"])) == 0
    said = json.loads(capsys.readouterr().out)
    assert [worker["name"] for worker in said["workers"]] == ["one", "two"]
    assert sorted(home for worker in said["workers"] for home in worker["homes"]) == [
        f"home{number}" for number in range(6)
    ]
    assert run_fleet(parse(["fleet", "status"])) == 0
    assert "one (h1) keeps" in capsys.readouterr().out


def test_homes_that_no_process_keeps_are_a_failure(
    cluster: MemoryFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.members = ()
    assert run_fleet(parse(["fleet", "status"])) == 1
    assert capsys.readouterr().out == "No process is in the fleet.\nNo process keeps 6 homes, home0 first.\n"


def test_topics_are_checked_and_made(cluster: MemoryFleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_fleet(parse(["fleet", "topics"])) == 1
    assert capsys.readouterr().out == "failed  Topic homes.sites does not exist.\n"
    assert run_fleet(parse(["fleet", "topics", "create", "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["created"] == ["homes.sites"]
    assert run_fleet(parse(["fleet", "topics", "check"])) == 0
    assert capsys.readouterr().out == "The topics are as they have to be.\n"


def test_without_a_fleet_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="No fleet is set"):
        run_fleet(parse(["fleet", "status"]))
