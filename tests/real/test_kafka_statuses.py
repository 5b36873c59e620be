"""The exchange of statuses between the processes of a fleet through a real cluster."""

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import time

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from engine.core.words import SyncStatus
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.site_topic import ClusterSiteTopic
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_status import SiteStatus, encode_site
from engine.replicas.kafka.topics import partition_of
from tests.availability import skip_or_fail
from tests.real.kafka import KafkaBroker
from tests.real.kafka_fleet import PARTITIONS, Worker, WorkingFleet, working_fleet
from tests.real.kafka_jars import KafkaMissingError
from tests.service_process import get, wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    try:
        made = KafkaBroker(tmp_path / "broker")
        made.format()
        made.start()
    except KafkaMissingError as reason:
        skip_or_fail(str(reason))
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def fleet(tmp_path: Path, broker: KafkaBroker) -> Iterator[WorkingFleet]:
    with working_fleet(tmp_path, [broker], homes=6) as made:
        yield made


def known(fleet: WorkingFleet) -> KnownSites:
    """What is in the topic now."""
    address = parse_address(f"kafka://{fleet.servers}/fleet?partitions={PARTITIONS}&replicas=1")
    topic = ClusterSiteTopic(Access(address))
    found = KnownSites(PARTITIONS)
    try:
        for arrived in topic.read_all():
            found.fold(arrived.entry, arrived.partition, time() * 1000)
    finally:
        topic.close()
    assert found.first_strange is None
    return found


def answers(address: str, name: str) -> bool:
    """Whether the devices of a home are there, asked at a process that may have to lead elsewhere."""
    try:
        return "devices" in get(address, f"/api/sites/{name}/devices")
    except urllib.error.HTTPError:
        return False


def text(address: str) -> str:
    """What a process exports."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        found: bytes = answer.read()
    return found.decode()


def ready(address: str) -> str:
    """What a process says of its readiness."""
    try:
        return str(get(address, "/readyz")["status"])
    except urllib.error.HTTPError as error:
        return str(json.load(error)["status"])


def wait_until_said(
    fleet: WorkingFleet, is_so: Callable[[dict[str, SiteStatus]], bool], what: str
) -> dict[str, SiteStatus]:
    wait_until(lambda: is_so(known(fleet).sites), what)
    return known(fleet).sites


def check_draining(fleet: WorkingFleet, first: Worker, second: Worker) -> None:
    """The second one gives its homes up while it is drained, whether it is started again or not."""
    second.run("fleet", "drain")
    fleet.wait_until_in_sync(first)
    assert second.homes() == {}
    assert ready(second.address) == "drained"
    wait_until(
        lambda: (
            {w["state"]: len(w["homes"]) for w in fleet.status()["workers"]} == {"active": 6, "drained": 0}
        ),
        "it is shown as drained",
    )
    assert first.run("fleet", "drain") == ""  # refused: no process would be left
    assert ready(first.address) == "ready"
    assert set(first.homes()) == set(fleet.names)
    second.end(signal.SIGTERM)
    second.start()
    wait_until(lambda: ready(second.address) == "drained", "it stays drained")
    second.run("fleet", "resume")
    wait_until(second.homes, "it has some again")
    fleet.wait_until_in_sync(first, second)
    assert ready(second.address) == "ready"


def test_a_home_without_a_file_is_shown_until_the_fleet_forgets_it(fleet: WorkingFleet) -> None:
    worker = fleet.add_worker()
    fleet.wait_until_in_sync(worker)
    wait_until(
        lambda: {site["status"] for site in fleet.status()["sites"]} == {"in_sync"}, "all are reported"
    )
    checks = json.loads(worker.run("doctor", "--site", "home1", "--json"))["checks"]
    said = {check["name"]: check["status"] for check in checks if check["name"].startswith("fleet")}
    assert said == {"fleet": "ok", "fleet home": "ok", "fleet settings": "ok"}

    (fleet.folder / "sites.d" / "home0.toml").rename(fleet.folder / "home0.toml")
    wait_until(lambda: fleet.status()["unconfigured"] == ["home0"], "it is unconfigured")
    home = next(site for site in get(worker.address, "/api/sites")["sites"] if site["name"] == "home0")
    assert (home["stage"], home["status"]) == ("unconfigured", "unknown")
    assert "has no settings file for it" in home["reason"]
    (fleet.folder / "home0.toml").rename(fleet.folder / "sites.d" / "home0.toml")
    wait_until(lambda: worker.homes().get("home0") == "in_sync", "it is kept again")
    wait_until(lambda: fleet.status()["unconfigured"] == [], "and reported so")

    (fleet.folder / "sites.d" / "home0.toml").unlink()
    wait_until(lambda: fleet.status()["unconfigured"] == ["home0"], "it is unconfigured")
    assert "The fleet has forgotten home0" in worker.run("site", "forget", "home0")
    wait_until(lambda: "home0" not in {site["name"] for site in fleet.status()["sites"]}, "it is forgotten")
    wait_until(lambda: set(worker.homes()) == set(fleet.names) - {"home0"}, "here, too")


def forged_claim() -> bytes | None:
    """A claim that no owner can outbid, as far as its form goes."""
    forged = SiteStatus(
        site="home0",
        owner="another-program",
        claim=253_402_300_799_999,
        stage="released",
        status=SyncStatus.UNKNOWN,
        ts_ms=round(time() * 1000),
    )
    return encode_site("fleet.sites", forged).value


def remove_a_home_that_is_kept(fleet: WorkingFleet, producer: Producer) -> None:
    """Its owner says so again: for who reads all of the topic, too, behind a forged claim."""

    def is_in_sync() -> bool:
        sites = {site["name"]: site["status"] for site in fleet.status()["sites"]}
        return "home0" in sites and set(sites.values()) == {"in_sync"}

    wait_until(is_in_sync, "the forged claim counts for nothing")
    place = partition_of("home0", PARTITIONS)
    producer.produce("fleet.sites", value=None, key=b'{"site":"home0"}', partition=place)
    assert producer.flush(20) == 0
    wait_until(is_in_sync, "it is said again")


def test_strangers_in_topic_and_group_are_named_and_harm_no_home(fleet: WorkingFleet) -> None:
    worker = fleet.add_worker()
    fleet.wait_until_in_sync(worker)
    producer = Producer({"bootstrap.servers": fleet.servers})
    rubbish = (
        (b"hello", b"world"),
        (b'{"site":"home0"}', b"\xff"),
        (b'{"site": "home0"}', b"{}"),
        (b'{"site":"home0"}', forged_claim()),
    )
    for key, value in rubbish:
        producer.produce("fleet.sites", value=value, key=key, partition=partition_of("home0", PARTITIONS))
    assert producer.flush(20) == 0
    wait_until(lambda: "reconcile_fleet_strange_messages 4" in text(worker.address), "they are counted")
    [problem] = fleet.status()["problems"]
    assert "of fleet.sites is ignored: its key is not of the form" in problem
    assert "So are 3 more." in problem
    assert set(worker.homes().values()) == {"in_sync"}

    remove_a_home_that_is_kept(fleet, producer)

    other = {"group.id": "fleet.workers", "client.id": "another-program", "bootstrap.servers": fleet.servers}
    late = Consumer({**other, "partition.assignment.strategy": "range"})
    late.subscribe(["fleet.sites"])
    wait_until(lambda: isinstance(late.poll(0.5), Message), "the group refuses another protocol")
    late.close()
    assert set(worker.homes()) == set(fleet.names)
    stranger = Consumer({**other, "partition.assignment.strategy": "cooperative-sticky"})
    stranger.subscribe(["fleet.sites"])
    try:
        wait_until(lambda: stranger.poll(0.5) is None and stranger.assignment(), "it takes some homes")
        problems = fleet.status()["problems"]
        assert any(problem.startswith("another-program (") for problem in problems)
        wait_until(lambda: set(worker.homes().values()) == {"in_sync"}, "the others are kept")
    finally:
        stranger.close()
    fleet.wait_until_in_sync(worker)

    # A partition is added: a new process refuses to take homes, and the others keep theirs.
    admin = AdminClient({"bootstrap.servers": fleet.servers})
    admin.create_partitions([NewPartitions("fleet.sites", PARTITIONS + 1)])["fleet.sites"].result(20)
    sentence = f"Topic fleet.sites has {PARTITIONS + 1} partitions, but the settings ask for {PARTITIONS}"
    [problem] = json.loads(worker.run("fleet", "topics", "--json"))["problems"]
    assert problem.startswith(sentence)
    fleet.add_worker()
    log = fleet.folder / "worker1" / "log"
    wait_until(lambda: sentence in log.read_text(encoding="utf-8"), "the second process says why")
    assert set(worker.homes().values()) == {"in_sync"}


def test_owners_say_how_their_homes_are_and_when_they_give_them_up(fleet: WorkingFleet) -> None:
    first = fleet.add_worker()
    fleet.wait_until_in_sync(first)
    said = wait_until_said(
        fleet,
        lambda sites: set(sites) == set(fleet.names) and {s.status for s in sites.values()} == {"in_sync"},
        "all are reported",
    )
    owners = {status.owner for status in said.values()}
    home = said["home0"]
    assert len(owners) == 1
    assert home.records["entity"] == 20
    assert (home.stage, home.connected, home.drift_records, home.pending) == ("kept", True, 0, 0)
    assert set(known(fleet).workers) == owners

    second = fleet.add_worker()
    wait_until(second.homes, "it has some")
    fleet.wait_until_in_sync(first, second)
    moved = set(second.homes())
    said = wait_until_said(
        fleet, lambda sites: {s.owner for s in sites.values()} > owners, "the second one reports its own"
    )
    wait_until_said(
        fleet,
        lambda sites: {name for name, s in sites.items() if s.owner not in owners} == moved,
        "of all of them",
    )
    # A request to the wrong process is redirected to the right one.
    for worker, other in ((first, second), (second, first)):
        name = min(other.homes())
        wait_until(partial(answers, worker.address, name), f"{name} is found")
    check_draining(fleet, first, second)
    second.end(signal.SIGTERM)
    fleet.wait_until_in_sync(first)
    said = wait_until_said(
        fleet,
        lambda sites: {(s.owner in owners, str(s.status)) for s in sites.values()} == {(True, "in_sync")},
        "the first one reports all again",
    )
    assert set(known(fleet).workers) == owners
    found = fleet.status()
    assert {(site["status"], site["stage"], site["owner"] in owners) for site in found["sites"]} == {
        ("in_sync", "kept", True)
    }
    assert [(worker["state"], len(worker["homes"])) for worker in found["workers"]] == [("active", 6)]
    assert (found["unowned"], found["problems"], found["differing_settings"]) == ([], [], [])
    first.end(signal.SIGKILL)
    wait_until(lambda: fleet.status()["unowned"] == fleet.names, "no process has them")
    assert {(site["status"], site["owner"]) for site in fleet.status()["sites"]} == {("unknown", None)}
    first.start()
    fleet.wait_until_in_sync(first)
    wait_until(lambda: {site["status"] for site in fleet.status()["sites"]} == {"in_sync"}, "it reports all")
    first.end(signal.SIGTERM)
    assert {s.stage for s in known(fleet).sites.values()} == {"released"}
    assert set(known(fleet).workers) == owners  # the one that was killed
