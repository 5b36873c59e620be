"""A view of 10,000 homes: 1.4 million device messages, folded into its file, and questions to it. No broker takes part.

Size, processor time of the replay and of each question, first and repeated. Messages are as long as real ones and made from a
seed; making them is not measured. Homes' statuses are among them, one a home.

    python -m bench.service.fleet_view
"""

import argparse
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec

from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from bench.figures import Figure, publish
from engine.core.records.record import Device, Key
from engine.core.words import SyncStatus
from engine.fleet_view.folding import Folding
from engine.fleet_view.view_file.reading import ViewReader
from engine.fleet_view.view_file.schema import TopicsIdentity
from engine.fleet_view.view_file.store import ViewStore
from engine.replicas.kafka.events import full_fields
from engine.replicas.kafka.messages import PlacedEntry, encode_key
from engine.replicas.kafka.sites.site_status import SiteStatus, encode_site
from engine.replicas.kafka.topics import TopicNames, partition_of

SEED = 2026_11
PARTITIONS = 48
AT_ONCE = 5_000
NOW = 1_795_435_200.0  # Unix seconds
NOW_MS = round(NOW * 1000)
REPLAY_SECONDS_MAX = 120.0
QUESTION_MS_MAX = 100.0
ROUNDS = 3

_MAKERS = 60
_MODELS = 900
_ROOMS = (
    "Kitchen",
    "Bathroom",
    "Living room",
    "Bedroom",
    "Küche oben",
    "Garage",
    "Office",
    "Hallway",
    "Attic",
    "Cellar",
)
_THINGS = (
    "lamp",
    "ceiling light",
    "plug",
    "motion sensor",
    "window",
    "door",
    "thermostat",
    "blind",
    "switch",
    "speaker",
)
_NAMES = TopicNames("bench")
_HEADERS = {"schema": b"1", "hash": b"1:0123456789abcdef", "owner": b"worker-1@7.1795435200000"}


def messages(homes: int, devices: int) -> Iterator[PlacedEntry]:
    """The topics of homes and devices, home after home."""
    random = Random(SEED)  # noqa: S311 (a benchmark's input, no secret)
    weights = list(accumulate(1 / (rank + 2) for rank in range(_MODELS)))
    template = _template()
    offset = 0
    for number in range(homes):
        site = f"home-{number:05}"
        partition = partition_of(site, PARTITIONS)
        offset += 1
        yield _status(site, partition, offset, random)
        for _ in range(devices):
            model = bisect(weights, random.random() * weights[-1])
            id_ = f"{random.getrandbits(128):032x}"
            name = f"{random.choice(_ROOMS)} {random.choice(_THINGS)} {random.randint(1, 30)}"
            value = (
                template.replace("@id", id_)
                .replace("@name", name)
                .replace("@made", f"Maker {model % _MAKERS}")
                .replace("@model", f"Model {model} white")
                .replace("@sw", f"{1 + model % 3}.{random.randint(0, 5)}.{model}")
                .replace("@site", site)
            )
            key = encode_key(site, Key("device", id_))
            offset += 1
            yield PlacedEntry(_NAMES.of("device"), offset, key, value.encode(), _HEADERS, partition)


def _status(site: str, partition: int, offset: int, random: Random) -> PlacedEntry:
    """What a home's owner says of it."""
    status = SyncStatus(random.choice(("in_sync",) * 17 + ("out_of_sync", "blocked", "unknown")))
    said = SiteStatus(
        site=site,
        owner="worker-1",
        claim=7,
        stage="kept",
        status=status,
        ts_ms=NOW_MS,
        label=f"Home {site}",
        tags=(f"region-{random.randint(1, 20)}",),
        url="https://homes.example:8099/",
        source=f"ws://{site}.example:8123",
        connected=status != "unknown",
        heard_ms=NOW_MS,
        records={"device": 140, "entity": 1_300, "area": 12},
        drift_records=random.randint(1, 50) if status == "out_of_sync" else 0,
        ha_version="2026.11.0",
    )
    message = encode_site(_NAMES.sites, said)
    return PlacedEntry(message.topic, offset, message.key, message.value, dict(message.headers), partition)


def _template() -> str:
    """An event with the fields of a real device, as long as one."""
    record = Device(
        id="@id",
        name="@name",
        manufacturer="@made",
        model="@model",
        model_id="LCA001",
        sw_version="@sw",
        area_id="kitchen",
        identifiers=(("hue", "00:17:88:01:0b:aa:bb:cc-0b"),),
        connections=(("mac", "00:17:88:01:0b:aa"),),
        config_entry_id="01J00000000000000000000000",
        config_entries=("01J00000000000000000000000",),
    )
    source = {
        "version": "1.0.0",
        "connector": "homeassistant",
        "name": "@site",
        "db": "@site",
        "table": "device",
    }
    source |= {"ts_ms": "1795435200000", "snapshot": "true", "run_id": "0" * 26, "ha_version": "2026.11.0"}
    source |= {"hash": "1:" + "0" * 32, "cause": "pending"}
    event = {
        "before": None,
        "after": full_fields(record),
        "op": "r",
        "ts_ms": 1_795_435_200_000,
        "source": source,
    }
    return msgspec.json.encode(event).decode()


def replay(store: ViewStore, homes: int, devices: int) -> tuple[int, float]:
    """How many messages were folded, and the processor time of it, seconds."""
    folding = Folding(_NAMES, PARTITIONS)
    store.begin(TopicsIdentity("bench", PARTITIONS, {}))
    seconds, count = 0.0, 0
    chunk: list[PlacedEntry] = []
    for entry in messages(homes, devices):
        chunk.append(entry)
        if len(chunk) == AT_ONCE:
            seconds += _fold(store, folding, chunk)
            count += len(chunk)
            chunk = []
    seconds += _fold(store, folding, chunk)
    return count + len(chunk), seconds


def _fold(store: ViewStore, folding: Folding, chunk: list[PlacedEntry]) -> float:
    began = time.process_time()
    positions = {(entry.topic, entry.partition): entry.offset + 1 for entry in chunk}
    folding.read(chunk, NOW)
    store.apply(folding.take(positions, None))
    return time.process_time() - began


def questions(reader: ViewReader) -> dict[str, Callable[[], object]]:
    """The requests by name."""

    def ask(**given: object) -> Callable[[], object]:
        query = msgspec.convert(given, ViewedDevicesQuery)

        def run() -> object:
            with reader.transaction() as transaction:
                return transaction.devices(query)

        return run

    def models(query: ViewedModelsQuery) -> object:
        with reader.transaction() as transaction:
            return transaction.models(query)

    def homes(query: ViewedSitesQuery, *, worst_first: bool = False) -> object:
        with reader.transaction() as transaction:
            return transaction.sites(query, NOW, worst_first=worst_first), transaction.counts(query, NOW)

    return {
        "models and firmwares": lambda: models(ViewedModelsQuery()),
        "models of a tag": lambda: models(ViewedModelsQuery(tag="region-7")),
        "homes": lambda: homes(ViewedSitesQuery()),
        "worst homes": lambda: homes(ViewedSitesQuery(), worst_first=True),
        "homes, text": lambda: homes(ViewedSitesQuery(q="00777")),
        "text, in homes with a tag": ask(q="lamp", tag="region-7"),
        "devices of a model": ask(model="Model 3 white"),
        "devices of a rare model": ask(model="Model 899 white"),
        "devices of a maker": ask(manufacturer="maker 7"),
        "devices with a firmware": ask(model="Model 3 white", sw_version="1.2.3"),
        "text, frequent": ask(q="kitchen lamp"),
        "text, beginnings": ask(q="kit la mo"),
        "text, frequent and rare": ask(q="kitchen 899"),
        "text, one letter": ask(q="k"),
        "text, two frequent words that never meet": ask(q="kitchen bathroom"),
        "text, a letter and words that never meet": ask(q="1 k bathroom garage"),
        "text with a rare model": ask(q="lamp", model="Model 899 white"),
        "one home": ask(site="home-00777", q="lamp"),
        "page in the middle": ask(q="lamp", after="home-00777/x"),
    }


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--homes", type=int, default=10_000)
    parser.add_argument("--devices", type=int, default=140)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "view.db"
        store = ViewStore(path, lambda: 0.0)
        count, seconds = replay(store, arguments.homes, arguments.devices)
        store.rest()
        input_ = f"{count:,} devices of {arguments.homes:,} homes"
        figures = [
            Figure(name="file", size=input_, value=path.stat().st_size / 2**20, unit="MiB"),
            Figure(name="replay, CPU", size=input_, value=seconds, unit="s", budget=REPLAY_SECONDS_MAX),
            Figure(name="replay, CPU a message", size=input_, value=seconds / count * 1e6, unit="us"),
        ]
        for name in questions(ViewReader(path)):
            first, again = _worst(path, name)
            figures += [
                Figure(name=f"{name}, first", size=input_, value=first, unit="ms", budget=QUESTION_MS_MAX),
                Figure(name=f"{name}, again", size=input_, value=again, unit="ms", budget=QUESTION_MS_MAX),
            ]
        store.close()
    publish("fleet_view", figures)


def _worst(path: Path, name: str) -> tuple[float, float]:
    """The worst processor time of a question, ms: in a process that has not read the file yet, and on repetition."""
    took = []
    for _ in range(ROUNDS):
        reader = ViewReader(path)
        ask = questions(reader)[name]
        took.append((_timed(ask), _timed(ask)))
        reader.close()
    return max(first for first, _ in took), max(again for _, again in took)


def _timed(ask: Callable[[], object]) -> float:
    began = time.process_time()
    ask()
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main()
