"""`reconcile` into a real InfluxDB, killed while batches wait in the outbox, are on their way, or have arrived."""

import json
import shutil
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from engine.core.records.record import Key
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.schema.points import MEASUREMENTS
from engine.replicas.influx.wires.http import Credentials
from tests.kill.fork_server import ForkServer, Order
from tests.kill.kills import draw_for, draw_instant, is_killed, run_until, share
from tests.kill.remains import check_influx
from tests.kill.scenarios import ENVIRON, SAMPLE, change_one_percent, desired
from tests.real.influxdb import InfluxServer, influxdb_or_skip

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(1800)]

KILLS = share(0.12)
OPERATIONS, SECONDS = 500, 0.6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influxdb_or_skip(tmp_path_factory.mktemp("influxdb")) as running:
        yield running


def test_nothing_that_was_on_its_way_is_lost_doubled_or_believed(
    tmp_path: Path, server: InfluxServer, fork_server: ForkServer
) -> None:
    kills = number = 0
    while kills < KILLS:
        number += 1
        folder = tmp_path / f"home{number}"
        folder.mkdir()
        shutil.copytree(SAMPLE, folder / "source")
        kills += kill_and_converge(folder, f"home{number}", server, fork_server)
        shutil.rmtree(folder)


def kill_and_converge(folder: Path, site: str, server: InfluxServer, fork_server: ForkServer) -> int:
    """Kill passes over a site of its own, while Home Assistant changes there and back; then let one end."""
    draw = draw_for(f"influxdb/{site}")
    argv = [
        "--source",
        "capture:source",
        "--rows",
        "rows.db",
        "--records",
        server.uri,
        "--site",
        site,
        "--json",
    ]
    order = Order(argv, str(folder), ENVIRON)
    shutil.copytree(folder / "source", folder / "changed")
    change_one_percent(folder / "changed")
    kills = 0
    for _ in range(draw.randint(2, 5)):
        instant = draw_instant(draw, OPERATIONS, SECONDS)
        print(f"{site}: {instant}")
        kills += is_killed(run_until(fork_server, order, instant))
        check_influx(folder, folder / "scratch", {})
        if draw.random() < 0.5:  # what was about to be written may be the opposite of what is wanted next
            swap(folder)
    (folder / "said.txt").unlink()
    assert fork_server.run(order).code == 0
    report = json.loads((folder / "said.txt").read_text())
    assert report["status"] == "in_sync", report["records"]
    check_site(folder, site, server)
    return kills


def swap(folder: Path) -> None:
    """Home Assistant changes; or its backup from before the change is restored."""
    (folder / "source").rename(folder / "swapped")
    (folder / "changed").rename(folder / "source")
    (folder / "swapped").rename(folder / "changed")


def check_site(folder: Path, site: str, server: InfluxServer) -> None:
    """What the server has is what Home Assistant has, nothing waits, and every revision is there once."""
    outbox = open_outbox("influxdb", folder / "rows.db.outbox")
    assert outbox.pending("influxdb") == []
    wire = open_wire(server.uri, Credentials(), timeout_seconds=30)
    records = InfluxRecords(
        wire, InfluxOptions(site=site, read_only=True), outbox=outbox, clock=time.time, sleep=time.sleep
    )
    home = desired(folder)
    assert records.observe(verify=True).versions == home.home.hashes
    points: dict[Key, list[tuple[int, str]]] = {}
    of_registries = ", ".join(MEASUREMENTS)
    for row in server.query(f"SELECT rev, hash, id, op FROM {of_registries} WHERE site = '{site}'"):
        if row["op"] == "refresh":
            continue  # the same revision again, because what it shows of another record changed
        key = Key(str(row["measurement"]), str(row["id"]))
        points.setdefault(key, []).append((int(str(row["rev"])), str(row["hash"])))
    for key, found in points.items():
        assert [rev for rev, _ in found] == list(range(1, len(found) + 1)), key
        assert all(before[1] != after[1] for before, after in pairwise(found)), key
    records.close()
