"""A view of a fleet over a real broker: what homes write is found in it, whatever happens to the view, the broker and the topics."""

import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from engine.core.home.snapshot import Snapshot
from engine.core.words import SyncStatus
from engine.errors import ReplicaError
from engine.replicas.kafka.cluster.workers import ClusterFleet
from engine.replicas.kafka.sites.site_status import SiteStatus, encode_site
from engine.replicas.kafka.topics import partition_of
from tests.homes import ENTRY, device, snapshot
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_fleet import PARTITIONS as FLEET_PARTITIONS
from tests.real.kafka_fleet import working_fleet
from tests.real.kafka_home import KafkaHome
from tests.service_process import ROOT, Service, get, wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]
PARTITIONS = 2


class View:
    """`reconcile fleet view` in a process of its own."""

    def __init__(
        self, folder: Path, broker: KafkaBroker, prefix: str, *, partitions: int = PARTITIONS
    ) -> None:
        folder.mkdir(exist_ok=True)
        settings = (
            f'[fleet]\nbrokers = "{broker.server}?partitions={partitions}&replicas=1"\nprefix = "{prefix}"\n'
            'view_file = "view.db"\n[http]\nport = 0\n[records]\ntimeout_seconds = 10\n'
        )
        (folder / "reconcile.toml").write_text(settings, encoding="utf-8")
        self.folder = folder
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "engine", "fleet", "view"]
        self.service = Service.started_by(command, self.folder, {**os.environ, "PYTHONPATH": str(ROOT)})
        self.address = self.service.wait_until_serving()

    def get(self, path: str) -> Any:
        """The answer, or the problem."""
        try:
            return get(self.address, path)
        except urllib.error.HTTPError as error:
            return json.loads(error.read())

    def names(self, query: str = "") -> list[str]:
        """What devices are called, sorted; none before there is an answer."""
        return sorted(device["name"] for device in self.get(f"/api/fleet/devices?{query}").get("devices", ()))

    def wait_for(self, *names: str) -> None:
        wait_until(lambda: self.names() == sorted(names), f"{names}, but {self.get('/api/fleet/devices')}")

    def statuses(self) -> dict[str, str]:
        """How each home is."""
        return {site["name"]: site["status"] for site in self.get("/api/fleet/sites").get("sites", ())}

    def reason(self) -> str:
        return str(self.get("/readyz")["reason"])

    def left_out(self) -> dict[str, int]:
        """How many messages are not in the view, by why."""
        with urllib.request.urlopen(f"{self.address}/metrics") as answer:
            told = answer.read().decode()
        found = re.findall(r'(?m)^reconcile_view_messages_left_out_total{reason="(\w+)"} (\d+)', told)
        return {reason: int(count) for reason, count in found}

    def kill(self) -> None:
        self.service.process.kill()
        self.service.process.communicate(timeout=30)

    def end(self) -> None:
        if self.service.process.poll() is None:
            self.service.stop()


class Stand:
    """Homes in topics of their own, and views of them."""

    def __init__(self, broker: KafkaBroker, folder: Path, prefix: str) -> None:
        self.broker = broker
        self.homes = {name: KafkaHome(broker, prefix, site=name) for name in ("north", "south")}
        self.names = self.homes["north"].names
        self._folder = folder
        self._views: list[View] = []

    def make_topics(self) -> None:
        ClusterFleet(self.homes["north"].access).create(self.names.fleet)

    def view(self, name: str = "view") -> View:
        view = View(self._folder / name, self.broker, self.homes["north"].prefix)
        self._views.append(view)
        return view

    def write_at_last(self, site: str, home: Snapshot) -> None:
        """Write it as soon as the broker is ready for it."""

        def is_written() -> bool:
            try:
                self.homes[site].reconcile(home)
            except ReplicaError:
                return False
            return True

        wait_until(is_written, f"{site} is written")

    def say(self, site: str, status: SyncStatus, **more: Any) -> None:
        """What a home's owner says of it now."""
        said = SiteStatus(
            site=site,
            owner="worker-1",
            claim=7,
            stage="kept",
            status=status,
            ts_ms=round(time.time() * 1000),
            **more,
        )
        message = encode_site(self.names.sites, said)
        self.put(message.topic, message.key, message.value, site)

    def put(
        self, topic: str, key: bytes | None, value: bytes | None, site: str = "north", **headers: bytes
    ) -> None:
        producer = Producer({"bootstrap.servers": self.broker.server})
        partition = partition_of(site, PARTITIONS)
        producer.produce(topic, value=value, key=key, partition=partition, headers=dict(headers))
        assert producer.flush(20) == 0

    def close(self) -> None:
        for view in self._views:
            view.end()
        for home in self.homes.values():
            home.records.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path / "kafka") as found:
        yield found


@pytest.fixture
def stand(broker: KafkaBroker, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(broker, tmp_path, "fleet")
    yield made
    made.close()


def test_a_view_holds_what_homes_write_whoever_is_killed(stand: Stand) -> None:
    view = stand.view()
    wait_until(lambda: "fleet.sites does not exist" in view.reason(), view.reason())
    stand.make_topics()
    north, south = stand.homes["north"], stand.homes["south"]
    north.reconcile(snapshot(ENTRY, device(1, name="Lamp", model="Hue"), device(2, name="Küche")))
    south.reconcile(snapshot(ENTRY, device(1, name="Plug", model="Hue")))
    view.wait_for("Lamp", "Küche", "Plug")
    assert view.get("/readyz")["status"] == "ready"
    assert view.names("model=hue") == ["Lamp", "Plug"]
    assert view.names("q=kuc") == ["Küche"]
    assert view.names("site=south") == ["Plug"]
    stand.say("north", SyncStatus.BLOCKED, tags=("west",), drift_records=3, url="https://north.example:8443/")
    stand.say("south", SyncStatus.IN_SYNC)
    wait_until(
        lambda: view.get("/api/fleet/sites")["by_status"]["unknown"] == 0, view.get("/api/fleet/sites")
    )
    (worst,) = view.get("/api/fleet/drift")["sites"]
    assert (worst["name"], worst["differing"], worst["url"]) == ("north", 3, "https://north.example:8443/")
    assert view.names("tag=west") == ["Küche", "Lamp"]

    view.kill()
    north.reconcile(snapshot(ENTRY, device(1, name="Lamp two", model="Hue")))
    began = (view.folder / "view.db").stat().st_ino
    view.start()
    view.wait_for("Lamp two", "Plug")
    assert (view.folder / "view.db").stat().st_ino == began
    wait_until(lambda: view.get("/readyz")["status"] == "ready", view.reason())

    as_of = view.get("/api/fleet/devices")["as_of"]
    stand.broker.stop(signal.SIGKILL)
    wait_until(lambda: "Kafka at" in str(view.get("/readyz")["reason"]), view.get("/readyz"))
    assert view.names() == ["Lamp two", "Plug"]
    stand.broker.start()
    stand.write_at_last("south", snapshot(ENTRY, device(1, name="Plug two", model="Hue")))
    view.wait_for("Lamp two", "Plug two")
    wait_until(lambda: view.get("/api/fleet/devices")["as_of"] > as_of, f"later than {as_of}")
    second = stand.view("second")
    second.wait_for("Lamp two", "Plug two")
    assert second.get("/api/fleet/models")["models"] == view.get("/api/fleet/models")["models"]
    code, _ = view.service.stop()
    assert code == 0


def test_what_others_write_is_left_alone_and_counted(stand: Stand) -> None:
    stand.make_topics()
    topic, sites = stand.names.of("device"), stand.names.sites
    stand.homes["north"].reconcile(snapshot(ENTRY, device(1, name="Lamp")))
    key = b'{"site":"north","registry":"device","id":"%b"}'
    stand.put(topic, b"nonsense \xff", b"\x00")
    stand.put(topic, key % b"other", b"{not json")
    stand.put(
        topic, key % b"elsewhere", b'{"after":{"id":"elsewhere","name":"Elsewhere"}}', _other_partition()
    )
    stand.put(topic, key % b"new", b'{"after":{"id":"new","name":"New"}}', schema=b"99")
    long = json.dumps({"after": {"id": "long", "name": "<b>" + "x" * 900_000}}).encode()
    stand.put(topic, key % b"long", long)
    stand.put(sites, b'{"site":"north"}', b'{"url":"javascript:alert(1)"}')
    view = stand.view()
    wait_until(lambda: len(view.names()) == 2, view.get("/api/fleet/devices"))
    cut, lamp = view.names()
    assert lamp == "Lamp"
    assert cut == ("<b>" + "x" * 900_000)[:255]
    wanted = {"foreign": 3, "newer": 1, "unreadable": 1}
    wait_until(lambda: view.left_out() == wanted, f"{wanted}, but {view.left_out()}")


def _other_partition() -> str:
    return next(n for n in "abcdef" if partition_of(n, PARTITIONS) != partition_of("north", PARTITIONS))


def test_topics_that_are_made_anew_are_read_anew(stand: Stand) -> None:
    stand.make_topics()
    stand.homes["north"].reconcile(snapshot(ENTRY, device(1, name="Lamp")))
    view = stand.view()
    view.wait_for("Lamp")
    admin = AdminClient({"bootstrap.servers": stand.broker.server})
    for future in admin.delete_topics(list(stand.names.fleet)).values():
        future.result(30)
    wait_until(lambda: "does not exist" in str(view.reason()), view.reason())
    for future in admin.create_topics([NewTopic(t, PARTITIONS + 1, 1) for t in stand.names.fleet]).values():
        future.result(30)
    wait_until(lambda: "has 3 partitions, and 2" in str(view.reason()), view.reason())
    for future in admin.delete_topics(list(stand.names.fleet)).values():
        future.result(30)
    time.sleep(1)
    stand.make_topics()
    stand.homes["south"].reconcile(snapshot(ENTRY, device(1, name="Plug")))
    view.wait_for("Plug")


def test_a_view_says_of_each_home_what_the_process_says_that_keeps_it(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    (tmp_path / "fleet").mkdir()
    with working_fleet(tmp_path / "fleet", [broker], homes=2) as fleet:
        worker = fleet.add_worker()
        view = View(tmp_path / "view", broker, "fleet", partitions=FLEET_PARTITIONS)
        try:
            fleet.wait_until_in_sync(worker)
            wait_until(lambda: view.statuses() == dict.fromkeys(fleet.names, "in_sync"), f"{view.statuses()}")
            assert view.get("/api/fleet/drift")["sites"] == []
            home = view.get("/api/fleet/sites?q=home1")["sites"][0]
            assert (home["connected"], home["stage"], home["differing"]) == (True, "kept", 0)
            assert home["devices"] == len(view.names("site=home1&limit=1000")) > 0
            assert home["records"] > home["devices"]
            worker.end(signal.SIGTERM)
            wait_until(
                lambda: set(view.statuses().values()) == {"unknown"}, f"given up, but {view.statuses()}"
            )
        finally:
            view.end()
