"""Several processes of `reconcile serve` that share homes through real brokers, and the audit of what they left in the topics."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

from bench.service.many_homes import Played
from engine.replicas.kafka.topics import TopicNames, partition_of
from tests.real.free_port import free_port
from tests.real.kafka import KafkaBroker
from tests.service_process import ROOT, get, wait_until

PARTITIONS = 12
_NAMES = TopicNames("fleet")


class Event(NamedTuple):
    """One message about a home."""

    site: str
    key: bytes
    value: dict[str, Any] | None
    owner: str
    version: str


class Worker:
    """One process."""

    def __init__(self, folder: Path, settings: str) -> None:
        folder.mkdir()
        (folder / "reconcile.toml").write_text(settings, encoding="utf-8")
        self._folder = folder
        self.start()

    def start(self) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE_")}
        self._log = self._folder / "log"
        began = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine", "serve"],
                stderr=log,
                cwd=self._folder,
                env={**clean, "RECONCILE_LOG__FORMAT": "json", "PYTHONPATH": str(ROOT)},
            )
        wait_until(lambda: b'"serving"' in self._log.read_bytes()[began:], f"serving; see {self._log}")
        said = self._log.read_bytes()[began:].decode().splitlines()
        self.address: str = json.loads(next(line for line in said if '"serving"' in line))["api"]

    def run(self, *argv: str) -> str:
        """What a command prints that runs beside it, with the same settings."""
        command = [sys.executable, "-m", "engine", *argv]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=self._folder, env=environ, check=False, capture_output=True, text=True
        ).stdout

    def homes(self) -> dict[str, str]:
        """The homes that it keeps, with their status."""
        return {s["name"]: s["status"] for s in get(self.address, "/api/sites?limit=1000")["sites"]}

    def send_signal(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)


class WorkingFleet:
    """Homes, and the processes that share them."""

    def __init__(
        self,
        folder: Path,
        brokers: list[KafkaBroker],
        homes: int,
        entities: int,
        *,
        partitions: int = PARTITIONS,
        relist_seconds: float = 10,
    ) -> None:
        self.partitions = partitions
        self._relist_seconds = relist_seconds
        self.servers = ",".join(broker.server for broker in brokers)
        self.played = Played(entities)
        self.names = [f"home{number}" for number in range(homes)]
        self.workers: list[Worker] = []
        self.folder = folder
        self._replicas = len(brokers)
        (folder / "sites.d").mkdir()
        for name in self.names:
            (folder / "secrets" / name).mkdir(parents=True)
            (folder / "secrets" / name / "source_token").write_text(f"home-{name}", encoding="utf-8")
            uri = f'[source]\nuri = "ws://127.0.0.1:{self.played.port}"\n'
            (folder / "sites.d" / f"{name}.toml").write_text(uri, encoding="utf-8")

    def add_worker(self, *, servers: str = "", directory: Path | None = None) -> Worker:
        """One more process; with another way to the brokers, or another folder of homes, if they are given."""
        port = free_port()
        worker = Worker(
            self.folder / f"worker{len(self.workers)}",
            f'[sites]\ndirectory = "{directory or self.folder / "sites.d"}"\nsecrets = "{self.folder}/secrets"\nstate = "state"\n'
            f'[fleet]\nbrokers = "{servers or self.servers}?partitions={self.partitions}&replicas={self._replicas}"\n'
            f'prefix = "fleet"\nsession_seconds = 6\nurl = "http://127.0.0.1:{port}"\n[http]\nport = {port}\n'
            f"[loop]\nrelist_seconds = {self._relist_seconds}\n"
            "[plan]\ndelete_confirm_seconds = 1\n[records]\ntimeout_seconds = 10\n",
        )
        self.workers.append(worker)
        return worker

    def kept(self, *workers: Worker) -> dict[str, str]:
        """What these keep, by home."""
        return {name: status for worker in workers for name, status in worker.homes().items()}

    def wait_until_in_sync(self, *workers: Worker) -> None:
        """Until these keep all homes, each of them once, and all are in sync."""

        def is_so() -> bool:
            found = [worker.homes() for worker in workers]
            counts = Counter(name for homes in found for name in homes)
            statuses = {status for homes in found for status in homes.values()}
            return counts == Counter(self.names) and statuses == {"in_sync"}

        wait_until(is_so, f"all in sync, but {[w.homes() for w in workers]}")

    def status(self) -> dict[str, Any]:
        """What `reconcile fleet status` prints."""
        found: dict[str, Any] = json.loads(self.workers[0].run("fleet", "status", "--json"))
        return found

    def owner_of(self, name: str) -> Worker:
        return next(worker for worker in self.workers if name in worker.homes())

    def rename_all(self, text: str) -> None:
        for name in self.names:
            self.played.obey(f"rename {name} 1 {text}")

    def wait_until_written(self, text: str) -> None:
        """Until the feed has this name in all homes."""

        def is_so() -> bool:
            found = events(self.servers, (_NAMES.changes,), self.partitions)
            return {e.site for e in found if name_in(e) == text} == set(self.names)

        wait_until(is_so, f"{text} in all homes")

    def leave_behind(self, name: str) -> None:
        """A record of the home that Home Assistant does not have, as an owner leaves it that dies before it deletes it."""
        found = next(
            e
            for e in events(self.servers, (_NAMES.of("label"),), self.partitions)
            if e.site == name and e.value
        )
        assert found.value is not None
        value = {**found.value, "after": {**found.value["after"], "label_id": "ghost"}}
        producer = Producer({"bootstrap.servers": self.servers})
        key = b'{"site":"%b","registry":"label","id":"ghost"}' % name.encode()
        producer.produce(
            _NAMES.of("label"),
            value=json.dumps(value),
            key=key,
            partition=partition_of(name, self.partitions),
            headers={"owner": b"dead@1", "hash": b"-"},
        )
        assert producer.flush(20) == 0

    def close(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.end()
        self.played.close()


def events(servers: str, topics: tuple[str, ...], partitions: int = PARTITIONS) -> Iterator[Event]:
    """All committed messages of these topics."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "audit",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    places = [TopicPartition(t, p, OFFSET_BEGINNING) for t in topics for p in range(partitions)]
    consumer.assign(places)
    ended = 0
    while ended < len(places):
        message = consumer.poll(60)  # a partition whose broker was killed gets another one
        assert message is not None, "the broker answers"
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended += 1
            continue
        yield event_in(message)
    consumer.close()


def event_in(message: Message) -> Event:
    """What a message says of a home."""
    key, value = message.key(), message.value()
    assert isinstance(key, bytes)
    headers = dict(message.headers() or [])
    owner, version = headers["owner"], headers["hash"]
    assert isinstance(owner, bytes)
    assert isinstance(version, bytes)
    after = json.loads(value) if value else None
    return Event(json.loads(key)["site"], key, after, owner.decode(), version.decode())


def changes_topic() -> str:
    """The feed of all homes' changes."""
    return _NAMES.changes


def name_in(event: Event) -> str | None:
    """The name that a record has after an event."""
    return event.value["after"].get("name") if event.value and event.value["after"] else None


def audit(fleet: WorkingFleet, renamed: set[str]) -> dict[str, list[str]]:
    """What is wrong with what is in the topics, by kind; each is to be empty."""
    wrong: dict[str, list[str]] = {}
    held: defaultdict[str, dict[bytes, dict[str, Any]]] = defaultdict(dict)
    for event in events(fleet.servers, _NAMES.records, fleet.partitions):
        if event.value is None or event.value["after"] is None:
            held[event.site].pop(event.key, None)
        else:
            held[event.site][event.key] = event.value["after"]
    ids = {name: {key.replace(name.encode(), b"") for key in held[name]} for name in fleet.names}
    every = set[bytes]().union(*ids.values())
    wrong["missing"] = [f"{name} {every - found}" for name, found in ids.items() if found != every]
    feed: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events(fleet.servers, (_NAMES.changes,), fleet.partitions):
        feed[event.site].append(event)
    said = {name: {name_in(event) for event in found} for name, found in feed.items()}
    wrong["renames"] = [f"{name} {renamed - said[name]}" for name in fleet.names if not renamed <= said[name]]
    newest = {name: {str(after.get("name")) for after in found.values()} for name, found in held.items()}
    wrong["newest"] = [name for name in fleet.names if max(renamed) not in newest[name]]
    wrong["left behind"] = [
        f"{name} {key!r}" for name, found in held.items() for key in found if b"ghost" in key
    ]
    wrong["owners"] = [name for name, found in feed.items() if _returns([e.owner for e in found])]
    wrong["idle"] = [f"{name} {key!r}" for name, found in feed.items() for key in _idle(found)]
    wrong["twice"] = [n for n in fleet.names if fleet.played.obey(f"clients {n}")["clients"] != 1]
    return {kind: found for kind, found in wrong.items() if found}


def _returns(owners: list[str]) -> bool:
    """Whether an owner writes again after another one did."""
    stretches = [owners[0], *(after for before, after in pairwise(owners) if before != after)]
    return len(stretches) != len(set(stretches))


def _idle(found: list[Event]) -> Iterator[bytes]:
    """Keys that were written although nothing had changed."""
    versions: dict[bytes, str] = {}
    for event in found:
        if versions.get(event.key) == event.version:
            yield event.key
        versions[event.key] = event.version


@contextmanager
def working_fleet(
    folder: Path,
    brokers: list[KafkaBroker],
    *,
    homes: int,
    entities: int = 20,
    partitions: int = PARTITIONS,
    relist_seconds: float = 10,
) -> Iterator[WorkingFleet]:
    """Homes without any process yet."""
    fleet = WorkingFleet(
        folder, brokers, homes, entities, partitions=partitions, relist_seconds=relist_seconds
    )
    try:
        yield fleet
    finally:
        fleet.close()
