"""Bad input to a fleet over a real broker of an older version: one sentence each, the other homes unharmed, nothing lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from engine.replicas.kafka.topics import TopicNames, partition_of
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_fleet import PARTITIONS, Worker, WorkingFleet, events, working_fleet
from tests.real.kafka_jars import OLDER
from tests.service_process import get, wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]
NAMES = TopicNames("fleet")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path / "kafka", version=OLDER) as found:
        yield found


@pytest.fixture
def fleet(tmp_path: Path, broker: KafkaBroker) -> Iterator[WorkingFleet]:
    with working_fleet(tmp_path, [broker], homes=6) as made:
        yield made


def sites(worker: Worker) -> dict[str, dict[str, Any]]:
    return {site["name"]: site for site in get(worker.address, "/api/sites?limit=1000")["sites"]}


def held(fleet: WorkingFleet, name: str) -> dict[bytes, str]:
    """The newest version of each of a home's records in the topics."""
    found: dict[bytes, str] = {}
    for event in events(fleet.servers, NAMES.records, fleet.partitions):
        if event.site == name and event.value is not None:
            found[event.key] = event.version
        elif event.site == name:
            found.pop(event.key, None)
    return found


def wait_for_reason(worker: Worker, name: str, *words: str) -> str:
    """The sentence about a home, which has these words."""

    def reason() -> str:
        return str(sites(worker).get(name, {}).get("reason"))

    wait_until(
        lambda: all(word in reason() for word in words), f"{words} of {name}, but {sites(worker).get(name)}"
    )
    assert "\n" not in reason()
    assert "Traceback" not in reason()
    return reason()


def are_in_sync(worker: Worker, *names: str) -> bool:
    return {worker.homes().get(name) for name in names} == {"in_sync"}


def test_homes_with_bad_files_and_tokens_are_named_and_the_others_are_kept(fleet: WorkingFleet) -> None:
    worker = fleet.add_worker()
    fleet.wait_until_in_sync(worker)
    before = {name: held(fleet, name) for name in fleet.names}
    files = {name: fleet.folder / "sites.d" / f"{name}.toml" for name in fleet.names}
    good = {name: file.read_text(encoding="utf-8") for name, file in files.items()}

    files["home0"].write_text("[source\nuri =", encoding="utf-8")
    files["home1"].write_text(f'{good["home1"]}[site]\nname = "home3"\n', encoding="utf-8")
    files["home2"].write_text(
        '[source]\nuri = "ws://127.0.0.1:9"\n[loop]\nrelist_seconds = "often"\n', encoding="utf-8"
    )
    fleet.played.obey("fault home4 refuse")
    fleet.played.obey("cut home4")
    wait_for_reason(worker, "home0", "home0.toml")
    wait_for_reason(worker, "home1.toml", "home1.toml", "both name their home home3")
    wait_for_reason(worker, "home1", "has no settings file")
    wait_for_reason(worker, "home2", "home2.toml", "relist_seconds")
    wait_for_reason(worker, "home4", "token")
    assert are_in_sync(worker, "home3", "home5")

    def told() -> dict[str, str]:
        return {site["name"]: site["status"] for site in fleet.status()["sites"]}

    wait_until(
        lambda: {told()[name] for name in ("home1", "home4")} == {"unknown"}, f"in the status, too: {told()}"
    )
    # Whose file became broken is kept with the settings from before.
    assert {told()[name] for name in ("home0", "home2", "home3", "home5")} == {"in_sync"}
    fleet.played.obey("rename home5 1 Still")
    wait_until(lambda: held(fleet, "home5") != before["home5"], "the others are written")
    assert {name: held(fleet, name) for name in fleet.names if name != "home5"} == {
        name: records for name, records in before.items() if name != "home5"
    }

    for name, file in files.items():
        file.write_text(good[name], encoding="utf-8")
    fleet.played.obey("fault home4 none")
    fleet.wait_until_in_sync(worker)


def test_what_others_write_among_the_records_is_left_alone_or_healed(fleet: WorkingFleet) -> None:
    worker = fleet.add_worker()
    fleet.wait_until_in_sync(worker)
    before = {name: held(fleet, name) for name in fleet.names}
    topic, place = NAMES.of("entity"), partition_of("home0", PARTITIONS)
    ours, other = [key for key in before["home0"] if b'"entity"' in key][:2]
    spelled, ghost = (
        ours.replace(b'"site":', b'"site": '),
        b'{"site":"home0","registry":"entity","id":"ghost"}',
    )
    producer = Producer({"bootstrap.servers": fleet.servers})
    for key, value, partition in (
        (ours, b'"rubbish"', place),  # drift, which is healed, as is a deletion
        (other, None, place),
        (spelled, b"{}", place),
        (ghost, b"{}", (place + 1) % PARTITIONS),  # where no reader of the home looks
    ):
        producer.produce(
            topic,
            value=value,
            key=key,
            partition=partition,
            headers=[("owner", b"another@1"), ("hash", b"-")],
        )
    assert producer.flush(20) == 0

    def is_healed() -> bool:
        found = held(fleet, "home0")
        return found.pop(spelled) == found.pop(ghost) == "-" and found == before["home0"]

    wait_until(is_healed, "what was overwritten and deleted stands there as before")
    fleet.wait_until_in_sync(worker)
    assert {name: held(fleet, name) for name in fleet.names[1:]} == {
        name: before[name] for name in fleet.names[1:]
    }
