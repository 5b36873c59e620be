"""A view of a fleet whose disk is full, and one whose homes' owner goes silent: on a real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.words import SyncStatus
from engine.replicas.kafka.sites.site_status import FRESH_MS
from tests.homes import ENTRY, device, snapshot
from tests.real.kafka import KafkaBroker, kafka_or_skip
from tests.real.small_disk import mounted
from tests.real.viewed_fleet import Stand
from tests.service_process import get, wait_until

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


def test_a_full_disk_is_reported_and_the_view_keeps_serving_its_data(stand: Stand, tmp_path: Path) -> None:
    stand.make_topics()
    north = stand.homes["north"]
    with mounted(tmp_path / "view", "size=6m") as disk:
        north.reconcile(snapshot(ENTRY, device(1, name="Lamp")))
        view = stand.view()
        try:
            view.wait_for("Lamp")
            disk.fill()
            # More than the log has room for from before.
            many = [device(n, name=f"Plug {n} {'x' * 200}") for n in range(1, 1_500)]
            north.reconcile(snapshot(ENTRY, *many))
            wait_until(lambda: "disk is full" in view.reason(), view.reason())
            reason = view.reason()
            assert "view.db" in reason
            assert "room on" in reason
            assert "\n" not in reason
            ready = get(view.address, "/readyz")  # ready: it answers, and says what of
            assert (ready["status"], ready["reason"]) == ("ready", reason)
            assert view.names() == ["Lamp"]
            assert view.get("/api/fleet/models")["total"] == 1
            as_of = view.get("/api/fleet/devices")["as_of"]
            view.kill()
            view.start()
            wait_until(lambda: "disk is full" in view.reason(), view.reason())
            assert view.names() == ["Lamp"]
            disk.make_room()
            wait_until(lambda: len(view.names("q=plug&limit=1000")) == 1000, view.get("/readyz"))
            wait_until(lambda: view.get("/readyz")["reason"] is None, view.reason())
            assert view.get("/api/fleet/devices")["as_of"] > as_of
            code, said = view.service.stop()
            assert code == 0
            assert said.count("disk is full") == 1
        finally:
            view.end()


def test_a_home_is_unknown_two_minutes_after_its_owners_last_message(stand: Stand) -> None:
    stand.make_topics()
    view = stand.view()
    stand.say("north", SyncStatus.IN_SYNC, age_seconds=FRESH_MS / 1000 - 15)
    stand.say("south", SyncStatus.IN_SYNC)
    wait_until(lambda: view.statuses() == {"north": "in_sync", "south": "in_sync"}, str(view.statuses()))
    wait_until(lambda: view.statuses() == {"north": "unknown", "south": "in_sync"}, str(view.statuses()))
    (north,) = view.get("/api/fleet/drift")["sites"]
    assert (north["name"], north["connected"], north["since"]) == ("north", None, north["said_at"])
