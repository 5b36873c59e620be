"""A fleet's topics in memory, and views of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core.records.record import Key
from engine.core.words import SyncStatus
from engine.errors import ReplicaError
from engine.fleet_view.folding import Folding
from engine.fleet_view.view_file.reading import ViewReader
from engine.fleet_view.view_file.schema import TopicsIdentity
from engine.fleet_view.view_file.store import ViewStore
from engine.fleet_view.view_file.writing import Place
from engine.replicas.kafka.messages import PlacedEntry, encode_key
from engine.replicas.kafka.sites.site_status import SiteStatus, encode_site, encode_site_removed
from engine.replicas.kafka.topics import TopicNames, TopicState, partition_of, settings_of
from tests.homes import NOON

PARTITIONS = 4
NAMES = TopicNames("p")
DEVICES, SITES = NAMES.of("device"), NAMES.sites
IDENTITY = TopicsIdentity("p", PARTITIONS, {DEVICES: "d", SITES: "s"})


def said_device(site: str, id_: str, name: str | None = "Lamp", **more: Any) -> PlacedEntry:
    """The message about a device."""
    after = {"id": id_, "name": name, "manufacturer": "Signify", "model": "Hue", "sw_version": "1.2", **more}
    return raw(DEVICES, encode_key(site, Key("device", id_)), json.dumps({"after": after}).encode(), site)


def gone_device(site: str, id_: str) -> PlacedEntry:
    return raw(DEVICES, encode_key(site, Key("device", id_)), None, site)


def said_site(
    site: str, status: str = "in_sync", *, claim: int = 1, at: float = NOON, **more: Any
) -> PlacedEntry:
    """The message about a home."""
    made = {"owner": "worker-1", "stage": "kept", **more}
    message = encode_site(
        SITES, SiteStatus(site=site, claim=claim, status=SyncStatus(status), ts_ms=round(at * 1000), **made)
    )
    return raw(SITES, message.key, message.value, site, dict(message.headers))


def removed_site(site: str, *, claim: int = 1) -> PlacedEntry:
    message = encode_site_removed(SITES, site, "worker-1", claim)
    return raw(SITES, message.key, None, site, dict(message.headers))


def raw(
    topic: str, key: bytes | None, value: bytes | None, site: str, headers: Mapping[str, bytes] = {}
) -> PlacedEntry:
    return PlacedEntry(topic, 0, key, value, headers, partition_of(site, PARTITIONS))


def opened(folder: Path, at: float = NOON) -> ViewStore:
    store = ViewStore(folder / "view.db", lambda: at)
    store.begin(IDENTITY)
    return store


def send(store: ViewStore, *entries: PlacedEntry, at: float | None = None) -> None:
    """Write what these say, in their order."""
    folding = Folding(NAMES, PARTITIONS)
    folding.read(entries, NOON)
    store.apply(folding.take({}, at))


def reader_of(folder: Path, *entries: PlacedEntry) -> ViewReader:
    """A file in which these were said."""
    store = opened(folder)
    send(store, *entries, at=NOON)
    store.close()
    return ViewReader(folder / "view.db")


class MemoryTopics:
    """The topics of a fleet in memory. `failure`, when set, is raised by what is called next; `is_away` by all that is called."""

    def __init__(self) -> None:
        self.positions: dict[Place, int] = {}
        self.entries: dict[Place, list[PlacedEntry]] = {}
        self.states: dict[str, TopicState] = {}
        self.failure: ReplicaError | None = None
        self.is_cut = False
        self.answers = True
        self.is_open = False
        self.followed: list[dict[Place, int]] = []
        self._asked: dict[Place, int] | None = None
        for topic in (DEVICES, SITES):
            self.make(topic)

    def make(self, topic: str, *, partitions: int = PARTITIONS, id_: str = "1") -> None:
        """A topic without messages."""
        self.states[topic] = TopicState(partitions, 3, 3, settings_of(NAMES, topic, 3), id=id_)
        for number in range(partitions):
            self.entries[topic, number] = []

    def put(self, *entries: PlacedEntry) -> None:
        for entry in entries:
            self.entries[entry.topic, entry.partition].append(entry)

    def describe(self) -> dict[str, TopicState]:
        self._fail()
        return dict(self.states)

    def follow(self, positions: Mapping[Place, int]) -> None:
        self._fail()
        self.positions, self.is_open = dict(positions), True
        self.followed.append(dict(positions))

    def take(self, count: int, seconds: float) -> tuple[list[PlacedEntry], bool]:
        self._fail()
        if self.is_cut:
            self.is_cut = False
            return [], True
        found: list[PlacedEntry] = []
        for place, position in self.positions.items():
            more = self.entries[place][position : position + count - len(found)]
            self.positions[place] += len(more)
            found += more
        return found, False

    def reach(self, places: Sequence[Place]) -> dict[Place, int]:
        self._fail()
        return {place: len(self.entries[place]) for place in places}

    def ask_ends(self) -> None:
        self._fail()
        self._asked = {place: len(self.entries[place]) for place in self.positions}

    def ends(self) -> dict[Place, int] | None:
        self._fail()
        asked = self._asked if self.answers else None
        self._asked = self._asked if asked is None else None
        return asked

    def behind(self) -> int | None:
        return sum(len(self.entries[place]) - at for place, at in self.positions.items())

    def close(self) -> None:
        self.is_open, self._asked = False, None

    def _fail(self) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
