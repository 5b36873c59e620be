"""`reconcile fleet`: the cluster's processes and topics, printed."""

import json
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.commandline.arguments.parser import parse
from engine.commandline.verbs.service import fleet as module
from engine.commandline.verbs.service.fleet import run_fleet
from engine.core.words import SyncStatus
from engine.errors import ReplicaUnavailable, SettingsError
from engine.replicas.kafka.fleet import Worker
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import SiteStatus, WorkerStatus
from engine.replicas.kafka.topics import TopicNames, TopicState, partition_of, settings_of
from engine.sites.sharing.draining import drained_since

NOW_MS = 1_800_000_000_000


class MemoryFleet:
    """A cluster with two processes, without a network."""

    def __init__(self) -> None:
        self.names = TopicNames("homes")
        self.partitions = 2
        self.found = {topic: self._state(topic) for topic in self.names.all}
        self.members: tuple[Worker, ...] = (Worker("one", "h1", (0,)), Worker("two", "h2", (1,)))
        self.known = KnownSites(2)
        for member in self.members:
            self.send(WorkerStatus(worker=member.name, state="active", ts_ms=NOW_MS))

    def send(self, *said: SiteStatus | WorkerStatus) -> None:
        for status in said:
            if isinstance(status, SiteStatus):
                self.known.note(status)
            else:
                self.known.workers[status.worker] = status

    def said(self) -> KnownSites:
        return self.known

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
    monkeypatch.setattr(module, "time", lambda: NOW_MS / 1000)
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


def test_the_status_shows_each_home_as_its_owner_reports_it(
    cluster: MemoryFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = "one" if partition_of("home0", 2) == 0 else "two"
    home = SiteStatus(
        site="home0",
        owner=owner,
        claim=1,
        stage="kept",
        status=SyncStatus.OUT_OF_SYNC,
        ts_ms=NOW_MS - 12_000,
        since_ms=NOW_MS - 180_000,
        records={"entity": 164},
        drift_records=2,
        pending=3,
    )
    cluster.send(home)
    assert run_fleet(parse(["fleet", "status"])) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "home0" in line)
    assert line == "  out_of_sync  home0  164 records, 3 pending, 2 differ, for 3 min, reported 12 s ago"
    assert run_fleet(parse(["fleet", "status", "--json"])) == 0
    said = json.loads(capsys.readouterr().out)["sites"][0]
    assert (said["name"], said["owner"], said["status"]) == ("home0", owner, "out_of_sync")
    assert said["said_at"].endswith("Z")


def test_a_home_without_a_file_strangers_and_drained_processes_are_shown(
    cluster: MemoryFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = "one" if partition_of("lost", 2) == 0 else "two"
    cluster.send(
        SiteStatus(
            site="lost",
            owner=owner,
            claim=1,
            stage="unconfigured",
            status=SyncStatus.UNKNOWN,
            ts_ms=NOW_MS,
            reason="no file\x1b[2J",
        ),
        WorkerStatus(worker="three", state="drained", ts_ms=NOW_MS, since_ms=NOW_MS - 60_000),
        WorkerStatus(worker="four", state="active", ts_ms=NOW_MS),
    )
    cluster.members += (Worker("stranger", "h9", ()),)
    assert run_fleet(parse(["fleet", "status"])) == 1
    out = capsys.readouterr().out
    assert "  unconfigured lost   reported 0 s ago, no file\\u001b[2J\n" in out
    assert "three has been drained for 60 s and keeps 0 homes in 0 partitions\n" in out
    assert "four is not in the consumer group and keeps no homes\n" in out
    assert "stranger (h9) is a member of the consumer group" in out


def test_homes_that_no_process_keeps_are_a_failure(
    cluster: MemoryFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.members = ()
    assert run_fleet(parse(["fleet", "status"])) == 1
    out = capsys.readouterr().out
    assert "6 homes have no process:\n  unknown      home0  no process keeps it\n" in out
    cluster.known.workers.clear()
    assert run_fleet(parse(["fleet", "status"])) == 1
    assert capsys.readouterr().out.startswith("No process is in the fleet.\n6 homes have no process")


@pytest.fixture
def drainable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    text = '[sites]\ndirectory = "sites.d"\nstate = "state"\n[fleet]\nbrokers = "kafka:9092"\n'
    (tmp_path / "reconcile.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "open_fleet", lambda _loaded: MemoryFleet())
    monkeypatch.setattr(module, "time", lambda: NOW_MS / 1000)
    return tmp_path / "state"


def test_the_process_of_this_machine_is_drained_until_that_is_undone(
    drainable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fleet(parse(["fleet", "drain"])) == 0
    assert drained_since(drainable) is not None
    assert (
        "gives its homes to the other processes within seconds and takes none until"
        in capsys.readouterr().out
    )
    assert run_fleet(parse(["fleet", "drain", f"{socket.gethostname()}-12"])) == 0
    assert "It was drained before." in capsys.readouterr().out
    assert run_fleet(parse(["fleet", "resume"])) == 0
    assert drained_since(drainable) is None
    assert "takes its share of the homes." in capsys.readouterr().out


@pytest.mark.parametrize("worker", ["elsewhere-12", "12", socket.gethostname()])
def test_a_process_of_another_machine_is_not_drained_here(drainable: Path, worker: str) -> None:
    with pytest.raises(SettingsError, match="does not run on this machine"):
        run_fleet(parse(["fleet", "drain", worker]))
    assert drained_since(drainable) is None


def alone(monkeypatch: pytest.MonkeyPatch, *others: WorkerStatus, ours: str = "") -> None:
    """A fleet in which one process keeps homes, and some are drained or gone."""
    made = MemoryFleet()
    made.known.workers.clear()
    name = ours or f"{socket.gethostname()}-12"
    made.members = (Worker(name, "h1", (0, 1)),)
    made.send(WorkerStatus(worker=name, state="active", ts_ms=NOW_MS), *others)
    for site in ("home0", "home1"):
        said = SiteStatus(
            site=site, owner=name, claim=1, stage="kept", status=SyncStatus.IN_SYNC, ts_ms=NOW_MS
        )
        made.send(said)
    monkeypatch.setattr(module, "open_fleet", lambda _loaded: made)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (WorkerStatus(worker="two", state="drained", ts_ms=NOW_MS),),
        (WorkerStatus(worker="gone", state="active", ts_ms=NOW_MS),),  # no member of the group
    ],
    ids=["alone", "drained", "gone"],
)
def test_the_last_process_is_drained_only_with_explicit_consent(
    drainable: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    others: tuple[WorkerStatus, ...],
) -> None:
    alone(monkeypatch, *others)
    with pytest.raises(SettingsError, match="There is no other process to keep the 2 homes") as refused:
        run_fleet(parse(["fleet", "drain"]))
    assert "`reconcile fleet drain --force`" in refused.value.hint
    assert drained_since(drainable) is None
    assert run_fleet(parse(["fleet", "drain", "--force"])) == 0
    assert "2 homes of this fleet: no process keeps them until" in capsys.readouterr().out
    assert drained_since(drainable) is not None
    assert run_fleet(parse(["fleet", "drain"])) == 0  # it is drained already


def test_a_process_that_leaves_others_behind_is_drained_at_once(
    drainable: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone(monkeypatch, ours="elsewhere-1")
    assert run_fleet(parse(["fleet", "drain"])) == 0
    assert "nobody" not in capsys.readouterr().out
    assert drained_since(drainable) is not None


def test_draining_works_while_kafka_is_away_and_reports_the_unknowns(
    drainable: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(_loaded: object) -> MemoryFleet:
        raise ReplicaUnavailable("kafka", "Kafka at kafka:9092 is away.")

    monkeypatch.setattr(module, "open_fleet", away)
    assert run_fleet(parse(["fleet", "drain"])) == 0
    assert "can keep its homes: Kafka at kafka:9092 is away." in capsys.readouterr().out
    assert drained_since(drainable) is not None


def test_a_folder_that_cannot_be_written_is_named(drainable: Path) -> None:
    drainable.write_text("a file", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"state \(sites.state\) cannot be written"):
        run_fleet(parse(["fleet", "drain"]))


def test_topics_are_checked_and_made(cluster: MemoryFleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_fleet(parse(["fleet", "topics"])) == 1
    assert (
        capsys.readouterr().out
        == "failed  Topic homes.sites does not exist.\nTo create what is missing: `reconcile fleet topics create`\n"
    )
    assert run_fleet(parse(["fleet", "topics", "create", "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["created"] == ["homes.sites"]
    assert run_fleet(parse(["fleet", "topics", "check"])) == 0
    assert capsys.readouterr().out == "All topics exist and are set up correctly.\n"


def test_without_a_fleet_it_names_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("status", "drain"):
        with pytest.raises(SettingsError, match="No fleet is configured"):
            run_fleet(parse(["fleet", command]))


@pytest.mark.parametrize("argv", [["topics", "remove"], ["status", "one"]])
def test_what_there_is_not_to_do_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_fleet(parse(["fleet", *argv]))
    assert ended.value.code == 64
    assert argv[1] in capsys.readouterr().err
