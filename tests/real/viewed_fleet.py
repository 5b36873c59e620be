"""`reconcile fleet view` in a process of its own over a real broker, and homes that write there."""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from engine.core.home.snapshot import Snapshot
from engine.core.words import SyncStatus
from engine.errors import ReplicaError
from engine.replicas.kafka.cluster.workers import ClusterFleet
from engine.replicas.kafka.sites.site_status import SiteStatus, encode_site
from engine.replicas.kafka.topics import partition_of
from tests.real.kafka import KafkaBroker
from tests.real.kafka_home import KafkaHome
from tests.service_process import ROOT, Service, get, wait_until

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
            reported = answer.read().decode()
        found = re.findall(r'(?m)^reconcile_view_messages_left_out_total{reason="(\w+)"} (\d+)', reported)
        return {reason: int(count) for reason, count in found}

    @contextmanager
    def stream(self, last_id: str = "") -> Iterator[Iterator[dict[str, str]]]:
        """The changes of all homes, each with its place as `event`."""
        request = urllib.request.Request(f"{self.address}/api/fleet/changes/stream")
        if last_id:
            request.add_header("Last-Event-ID", last_id)
        with urllib.request.urlopen(request, timeout=120) as answer:
            assert next(answer) == b"retry: 2000\n"
            yield _events(answer)

    def kill(self) -> None:
        self.service.process.kill()
        self.service.process.communicate(timeout=30)

    def end(self) -> None:
        if self.service.process.poll() is None:
            self.service.stop()


def _events(answer: Iterator[bytes]) -> Iterator[dict[str, str]]:
    place = ""
    for line in answer:
        name, _, text = line.decode().strip().partition(": ")
        place = text if name == "id" else place
        if name == "data" and place:
            yield {**json.loads(text), "event": place}


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

    def say(self, site: str, status: SyncStatus, *, age_seconds: float = 0.0, **more: Any) -> None:
        """What a home's owner says of it now, or said a while ago."""
        said = SiteStatus(
            site=site,
            owner="worker-1",
            claim=7,
            stage="kept",
            status=status,
            ts_ms=round((time.time() - age_seconds) * 1000),
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
