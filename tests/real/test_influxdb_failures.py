"""What goes wrong between the replica and a real InfluxDB 1.6.7: kills, limits, permissions, other writers."""

import random
import signal
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.composition.run import new_run_id, reconcile_once
from engine.core.records.record import Area, Entity, Record
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.errors import ReplicaDiverged, ReplicaRejected, ReplicaUnavailable
from engine.loop.passes.options import PassOptions
from engine.ports import Run
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.schema.legacy import find_legacy
from engine.settings.layers import load_settings
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.real.influxdb import DATABASE, InfluxServer
from tests.real.influxdb_stand import Stand
from tests.replicas.passes import one_pass, plan_of, run_of

HOME = (ENTRY, Area(area_id="kitchen", name="Kitchen"), device(1, area_id="kitchen"), entity(1), entity(2))


def test_a_restarted_server_is_verified(own_stand: Stand) -> None:
    own_stand.reconcile(*HOME)
    own_stand.server.stop()
    with pytest.raises(ReplicaUnavailable, match="nothing listens"):
        own_stand.replica.observe()
    with pytest.raises(ReplicaUnavailable, match="nothing listens"):
        own_stand.replica.apply(
            plan_of(own_stand.rows, own_stand.rows, snapshot(*HOME)).operations,
            run_of(own_stand.replica, snapshot(*HOME)),
        )
    own_stand.server.start()
    assert own_stand.replica.observe().versions == snapshot(*HOME).home.hashes
    [row] = own_stand.server.query("SELECT payload FROM ha_area")
    own_stand.server.write(f'ha_area,site=home,id=kitchen payload="{{}}" {row["time"]}')
    assert (
        own_stand.replica.observe().versions == snapshot(*HOME).home.hashes
    )  # a plain look believes the hash
    own_stand.server.stop()
    own_stand.server.start()
    assert own_stand.replica.observe().versions != snapshot(*HOME).home.hashes


class DyingWire:
    """Kills the server while a body of records is on its way, once."""

    name = "v1"

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._wire = stand.wire
        self.is_armed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def write(self, body: bytes) -> None:
        if self.is_armed and not body.startswith(b"ha_run"):
            self.is_armed = False
            self._stand.server.stop(signal.SIGKILL)
        self._wire.write(body)


def test_a_server_killed_in_mid_batch_is_caught_up_with(own_stand: Stand) -> None:
    home = [ENTRY, *(entity(n, name="x" * 300) for n in range(3000))]
    own_stand.reconcile(*home[:1000])
    dying = DyingWire(own_stand)
    own_stand.wire = dying
    replica = own_stand.fresh()
    with pytest.raises(ReplicaUnavailable):
        one_pass(replica, own_stand.rows, snapshot(*home), at=NOON + 5)
    own_stand.catch_up(*home)


def test_a_server_that_returns_while_we_try_gets_the_batch(own_stand: Stand) -> None:
    own_stand.reconcile(*HOME)
    own_stand.wire = DyingWire(own_stand)
    replica = own_stand.fresh()
    replica._sender._sleep = lambda _seconds: own_stand.server.start()
    one_pass(replica, own_stand.rows, snapshot(*HOME, entity(7)), at=NOON + 5)
    assert replica.observe().versions == snapshot(*HOME, entity(7)).home.hashes
    assert own_stand.outbox.pending("influxdb") == []


def test_a_refused_record_is_named_and_the_others_are_written(own_stand: Stand) -> None:
    # A value of another type fixes the field's type for this measurement and week.
    own_stand.server.write(f'ha_area,site=home,id=kitchen payload=1i,hash="1:00" {int(NOON * 1e9) - 5}')
    with pytest.raises(ReplicaRejected, match=r"refused 1 of 5 records \(area/kitchen\).*conflict"):
        one_pass(own_stand.replica, own_stand.rows, snapshot(*HOME))
    assert {k for k in own_stand.fresh().observe().versions if k.registry != "area"} == {
        r.key for r in HOME if r.key.registry != "area"
    }


def test_updates_pass_though_creates_hit_the_limit_on_tag_values(own_stand: Stand) -> None:
    # The limit is of the in-memory index only.
    own_stand.server.configure('index-version = "tsi1"', 'index-version = "inmem"\n  max-values-per-tag = 3')
    own_stand.server.query(f"DROP DATABASE {DATABASE}")
    own_stand.server.query(f"CREATE DATABASE {DATABASE}")
    own_stand.reconcile(*(entity(n) for n in range(3)))
    changed = [entity(n, name="new") for n in range(3)]
    with pytest.raises(ReplicaRejected, match=r"refused 2 of 5 records.*max-values-per-tag"):
        one_pass(own_stand.replica, own_stand.rows, snapshot(*changed, entity(8), entity(9)), at=NOON + 1)
    assert own_stand.fresh().observe().versions == snapshot(*changed).home.hashes


def test_a_body_beyond_the_servers_limit_goes_in_halves(own_stand: Stand) -> None:
    own_stand.server.configure("[http]", "[http]\n  max-body-size = 4000")
    # By what travels: names that do not shrink much when they are packed.
    name = random.Random(5).randbytes
    many = [entity(n, name=name(200).hex()) for n in range(40)]
    own_stand.reconcile(*many)
    home = [*many, entity(50, name=name(9000).hex())]
    with pytest.raises(ReplicaRejected, match=r"refused 1 of 1 .*max-body-size"):
        one_pass(own_stand.replica, own_stand.rows, snapshot(*home), at=NOON + 1)


def test_retention_that_took_live_records_is_noticed(own_stand: Stand) -> None:
    now = time.time()
    own_stand.reconcile(*HOME, at=now - 20 * 86_400)
    own_stand.server.query(f"ALTER RETENTION POLICY autogen ON {DATABASE} DURATION 3d SHARD DURATION 1d")
    own_stand.server.query(
        f"DELETE FROM ha_entity WHERE time < {int((now - 3 * 86_400) * 1e9)}"
    )  # what it does
    replica = own_stand.replica
    one_pass(replica, own_stand.rows, snapshot(*HOME), at=now)
    replica.upkeep(snapshot(*HOME), Run("refresh", now, "test", None))
    own_stand.server.query(f"DELETE FROM ha_device WHERE time < {int((now - 3 * 86_400) * 1e9)}")
    assert own_stand.fresh().observe().versions == snapshot(*HOME).home.hashes  # renewed before it was lost


def test_the_old_measurements_are_read_and_never_written(own_stand: Stand) -> None:
    lines = [
        f'devices,device_id={device(1).id},manufacturer=Acme,model=X,area_id=kitchen name="Lamp",entity_count=0i 1',
        f'devices,device_id={device(1).id},manufacturer=Acme,model=X,area_id=bedroom name="Lamp",entity_count=0i 2',
        'devices,device_id=gone,manufacturer=Acme,model=Y,area_id=attic name="Old",entity_count=0i 3',
        'entities,entity_id=sensor.s1,device_id=d,domain=sensor,platform=demo unique_id="u1" 4',
        'entities,entity_id=sensor.gone,device_id=d,domain=sensor,platform=demo unique_id="u2" 5',
    ]
    own_stand.server.write("\n".join(lines))
    report = find_legacy(own_stand.wire, snapshot(*HOME))
    assert report.series == 5
    assert [(r.id, r.tags["area_id"]) for r in report.stale_duplicates] == [(device(1).id, "kitchen")]
    assert [(r.measurement, r.id) for r in report.removed] == [
        ("devices", "gone"),
        ("entities", "sensor.gone"),
    ]
    own_stand.reconcile(*HOME)
    assert len(own_stand.server.query("SELECT * FROM devices")) == 3


def test_two_writers_end_with_one_answer(own_stand: Stand) -> None:
    one = own_stand.fresh()
    options = InfluxOptions(site="home", writer_slot=7)
    other = InfluxRecords(own_stand.wire, options, outbox=None, clock=time.time, sleep=lambda _: None)
    desired = snapshot(*HOME)
    plans = [plan_of(replica, own_stand.rows, desired) for replica in (one, other)]
    for replica, plan in zip((one, other), plans, strict=True):
        replica.apply(plan.operations, run_of(replica, desired))
    assert own_stand.fresh().observe().versions == desired.home.hashes
    assert len(own_stand.replica.timeline(entity(1).key)) == 2


def test_a_database_dropped_and_made_again_is_filled_again(own_stand: Stand) -> None:
    own_stand.reconcile(*HOME)
    own_stand.server.query(f"DROP DATABASE {DATABASE}")
    with pytest.raises(ReplicaRejected, match="Create the bucket or database"):
        own_stand.replica.observe()
    own_stand.server.query(f"CREATE DATABASE {DATABASE}")
    assert own_stand.replica.observe().versions == {}
    own_stand.reconcile(*HOME, at=NOON + 1)


def test_points_that_vanish_after_their_204_are_noticed_at_once(own_stand: Stand) -> None:
    class Forgetful:
        """A server that loses what it confirmed."""

        name = "v1"

        def __getattr__(self, name: str) -> Any:
            return getattr(own_stand.wire, name)

        def write(self, body: bytes) -> None:
            if body.startswith(b"ha_run"):
                own_stand.wire.write(body)

    options = InfluxOptions(site="home")
    replica = InfluxRecords(
        Forgetful(), options, outbox=own_stand.outbox, clock=time.time, sleep=lambda _: None
    )
    with pytest.raises(ReplicaDiverged, match="confirmed 5 points, but 5 of them do not read back"):
        one_pass(replica, own_stand.rows, snapshot(*HOME))
    own_stand.replica.upkeep(snapshot(*HOME), run_of(own_stand.replica, snapshot(*HOME)))
    assert own_stand.fresh().observe().versions == snapshot(*HOME).home.hashes


def test_thousands_of_records_arrive_in_few_requests(own_stand: Stand) -> None:
    records: list[Record] = [
        Entity(id=f"{n:032x}", entity_id=f"sensor.s{n}", unique_id=str(n), platform="demo")
        for n in range(6000)
    ]
    own_stand.reconcile(*records)
    markers = own_stand.server.query("SELECT * FROM ha_run")
    assert [(m["state"], m["n_create"], m["n_live"]) for m in markers] == [
        ("begin", 0, 0),
        ("commit", 6000, 6000),
    ]


def run_pass(folder: Path, uri: str) -> Report:
    sample = Path(__file__).parents[2] / "ops" / "sample" / "home-2026.11"
    flags = {"source.uri": f"capture:{sample}", "rows.file": str(folder / "rows.db"), "records.uri": uri}
    loaded = load_settings(flags, {}, None, folder)
    settings = loaded.settings
    registries = frozenset(settings.source.registries)
    options = PassOptions(Mode.APPLY, settings.plan, registries, new_run_id(time.time()), "home")
    return anyio.run(reconcile_once, loaded, options, lambda *_: None)


def test_sqlite_keeps_in_step_while_influxdb_is_down_which_then_catches_up(
    own_influxdb: InfluxServer, tmp_path: Path
) -> None:
    own_influxdb.stop()
    report = run_pass(tmp_path, own_influxdb.uri)
    assert report.partial
    assert {r.replica: r.status for r in report.replicas} == {"sqlite": "in_sync", "influxdb": "unknown"}
    assert [e.subject for e in report.errors] == ["influxdb"]
    own_influxdb.start()
    report = run_pass(tmp_path, own_influxdb.uri.replace("v1", "auto"))
    assert not report.partial
    assert {r.replica: r.status for r in report.replicas} == {"sqlite": "in_sync", "influxdb": "in_sync"}
    before = own_influxdb.query("SELECT count(*) FROM /.*/")
    assert {r.status for r in run_pass(tmp_path, own_influxdb.uri).replicas} == {"in_sync"}
    assert own_influxdb.query("SELECT count(*) FROM /.*/") == before
