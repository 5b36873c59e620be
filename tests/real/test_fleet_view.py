"""A view of a fleet over a real broker: it has what homes write, after any failure of the view, the broker and the topics."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from engine.core.words import SyncStatus
from engine.replicas.kafka.topics import partition_of
from tests.homes import ENTRY, device, snapshot
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.kafka_fleet import PARTITIONS as FLEET_PARTITIONS
from tests.real.kafka_fleet import working_fleet
from tests.real.viewed_fleet import PARTITIONS, Stand, View
from tests.service_process import wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    with kafka_or_skip(tmp_path / "kafka") as found:
        yield found


@pytest.fixture
def stand(broker: KafkaBroker, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(broker, tmp_path, "fleet")
    yield made
    made.close()


def test_a_view_holds_all_writes_after_any_process_is_killed(stand: Stand) -> None:
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


def test_the_view_waits_for_a_transaction_that_is_open(stand: Stand) -> None:
    stand.make_topics()
    producer = Producer({"bootstrap.servers": stand.broker.server, "transactional.id": "north"})
    producer.init_transactions(20)
    producer.begin_transaction()
    topic, partition = stand.names.of("device"), partition_of("north", PARTITIONS)
    producer.produce(
        topic, value=b"", key=b'{"site":"north","registry":"device","id":"x"}', partition=partition
    )
    assert producer.flush(20) == 0
    view = stand.view()
    wait_until(lambda: view.get("/readyz")["behind"], f"one message, but {view.get('/readyz')}")
    assert view.get("/readyz")["status"] == "not_ready"
    producer.abort_transaction(20)
    wait_until(lambda: view.get("/readyz")["status"] == "ready", view.get("/readyz"))
    assert view.names() == []


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


def test_recreated_topics_are_read_again(stand: Stand) -> None:
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
    wait_until(lambda: "has 3 partitions, but the settings ask for 2" in str(view.reason()), view.reason())
    for future in admin.delete_topics(list(stand.names.fleet)).values():
        future.result(30)
    time.sleep(1)
    stand.make_topics()
    stand.homes["south"].reconcile(snapshot(ENTRY, device(1, name="Plug")))
    view.wait_for("Plug")


def test_a_view_shows_each_home_as_its_owner_reports_it(broker: KafkaBroker, tmp_path: Path) -> None:
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


def test_changes_are_streamed_and_another_view_resumes_the_stream(stand: Stand) -> None:
    stand.make_topics()
    north, south = stand.homes["north"], stand.homes["south"]
    north.reconcile(snapshot(ENTRY, device(1, name="Before")))
    view = stand.view()
    with view.stream() as events:
        north.reconcile(snapshot(ENTRY, device(1, name="Lamp")))
        first = next(events)
    assert (first["site"], first["name"], first["registry"]) == ("north", "Lamp", "device")
    view.kill()
    south.reconcile(snapshot(device(1, name="Plug")))
    north.reconcile(snapshot(ENTRY, device(1, name="Lamp two")))
    with stand.view("second").stream(first["event"]) as events:
        found = [next(events), next(events)]
        assert sorted((event["site"], event["name"]) for event in found) == [
            ("north", "Lamp two"),
            ("south", "Plug"),
        ]
        stand.broker.stop(signal.SIGKILL)
        assert next(events, None) is None
    stand.broker.start()
