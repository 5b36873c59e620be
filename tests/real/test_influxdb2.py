"""The InfluxDB replica against a real InfluxDB 2.x, over wire v2; last seen with 2.7.12, 2026-11-28."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from engine.core.compare.diff import Cause
from engine.core.records.record import Area, Device, Entity, Key, Record
from engine.core.records.record_json import canonical_fields
from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.ports import Run
from engine.replicas.influx.doctor import check_server
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.schema.legacy import find_legacy
from engine.replicas.influx.wires.failures import BatchRefused
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.v1 import WireV1
from engine.replicas.influx.wires.wire import Block, Scan
from engine.secret import Secret
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.real.influxdb2 import InfluxServer2
from tests.real.influxdb_stand import AnyStand
from tests.real.test_influxdb import TEXT
from tests.replicas.passes import one_pass, plan_of, run_of

pytestmark = pytest.mark.optional_server

HOME = (ENTRY, Area(area_id="kitchen", name="Kitchen"), device(1, area_id="kitchen"), entity(1), entity(2))


class Stand2(AnyStand[InfluxServer2]):
    """A stand that looks at the points themselves."""

    def time_of(self, key: Key) -> int:
        """When the newest point of a key is dated, in ns."""
        scan = Scan(measurements=(f"ha_{key.registry}",), site="home", fields=("hash",), ids=(key.id,))
        times: list[int] = [row[0] for _, rows in self.wire.scan(scan) for row in rows]
        return max(times)

    def count(self) -> int:
        """Points of all records and markers."""
        measurements = ("ha_entity", "ha_device", "ha_area", "ha_config_entry", "ha_run")
        scan = Scan(measurements=measurements, fields=("run",))
        return sum(len(rows) for _, rows in self.wire.scan(scan))


@pytest.fixture
def stand(influxdb2: InfluxServer2, tmp_path: Path) -> Iterator[Stand2]:
    made = Stand2(influxdb2, tmp_path, "home", influxdb2.credentials)
    yield made
    made.close()


def test_a_home_is_written_and_followed(stand: Stand2) -> None:
    stand.reconcile(*HOME)
    stand.reconcile(*HOME[:3], entity(1, name="Lamp"), entity(3), at=NOON + 60)
    stand.reconcile(*HOME[:3], entity(1, name="Lamp"), entity(2), entity(3), at=NOON + 120)
    ops = [(r.op, r.rev, r.fields.get("name")) for r in stand.replica.timeline(entity(1).key)]
    assert ops == [("create", 1, None), ("update", 2, "Lamp")]
    assert [(r.op, bool(r.fields)) for r in stand.replica.timeline(entity(2).key)] == [
        ("create", True),
        ("delete", False),
        ("create", True),
    ]
    before = stand.replica.as_of(NOON)
    assert {key: revision.hash for key, revision in before.items()} == snapshot(*HOME).home.hashes
    assert set(stand.replica.as_of(NOON + 60)) == {r.key for r in (*HOME[:4], entity(3))}
    assert stand.replica.as_of(NOON - 1) == {}
    assert stand.replica.as_of(0) == {}


def test_a_pass_without_changes_writes_nothing(stand: Stand2) -> None:
    stand.reconcile(*HOME)
    before = stand.count()
    for replica in (stand.replica, stand.fresh()):
        assert one_pass(replica, stand.rows, snapshot(*HOME)).operations == ()
        replica.upkeep(snapshot(*HOME), run_of(replica, snapshot(*HOME)))
    assert stand.count() == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(id_=TEXT.filter(bool), name=TEXT)
def test_any_text_returns_from_the_server(stand: Stand2, id_: str, name: str) -> None:
    written = Device(id=id_, name=name, name_by_user=name[::-1], extra={f"x{name}": id_})
    one_pass(stand.replica, stand.rows, snapshot(written))
    assert stand.fresh().observe().versions == snapshot(written).home.hashes
    assert stand.replica.read([written.key])[written.key].fields == canonical_fields(written)
    assert stand.replica.timeline(written.key)[-1].fields == canonical_fields(written)


def test_long_texts_return_from_the_server(stand: Stand2) -> None:
    for number, size in enumerate((0, 64_000, 300_000)):
        stand.reconcile(entity(1, name='"\\ü' * (size // 4)), at=NOON + number)


def test_a_deleted_an_altered_and_a_foreign_point_are_found_and_healed(stand: Stand2) -> None:
    stand.reconcile(*HOME)
    altered, lost, at_ns = entity(1), entity(2), stand.time_of(entity(1).key)
    stand.wire.write(f'ha_entity,site=home,id={altered.id} payload="{{}}" {at_ns}'.encode())
    stand.server.delete(f'_measurement="ha_entity" AND id="{lost.id}"')
    stand.wire.write(f'ha_device,site=home,id=bogus hash="1:00",payload="x" {at_ns}'.encode())
    stand.wire.write(b'ha_device,site=home hash="1:00" 1\nha_device,site=other,id=theirs hash="1:00" 1')
    plan = plan_of(stand.fresh(), stand.rows, snapshot(*HOME))
    assert {d.key: d.cause for d in plan.diff.differences} == {
        altered.key: Cause.DRIFT,
        lost.key: Cause.DRIFT,
        Key("device", "bogus"): Cause.FOREIGN,
    }
    one_pass(stand.fresh(), stand.rows, snapshot(*HOME), prune_foreign=True, at=NOON + 1)
    assert stand.fresh().observe().versions == snapshot(*HOME).home.hashes
    assert stand.replica.timeline(altered.key)[-1].op == "repair"


def test_a_point_of_the_future_is_overruled(stand: Stand2) -> None:
    stand.reconcile(*HOME)
    future = int((time.time() + 365 * 86_400) * 1e9)
    stand.wire.write(f'ha_entity,site=home,id={entity(1).id} hash="1:00",payload="{{}}" {future}'.encode())
    stand.replica = stand.fresh()
    stand.reconcile(*HOME, at=NOON + 1)
    checks = check_server(stand.wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
    assert {c.name: c.status for c in checks}["future points"] == "warning"


def test_a_restarted_server_is_verified(stand: Stand2) -> None:
    stand.reconcile(*HOME)
    stand.server.stop()
    with pytest.raises(ReplicaUnavailable, match="nothing listens"):
        stand.replica.observe()
    stand.server.start()
    assert stand.replica.observe().versions == snapshot(*HOME).home.hashes
    at_ns = stand.time_of(Key("area", "kitchen"))
    stand.wire.write(f'ha_area,site=home,id=kitchen payload="{{}}" {at_ns}'.encode())
    assert stand.replica.observe().versions == snapshot(*HOME).home.hashes  # a plain look believes the hash
    stand.server.stop()
    stand.server.start()
    assert stand.replica.observe().versions != snapshot(*HOME).home.hashes


def test_a_server_killed_after_its_204_has_the_points(stand: Stand2) -> None:
    home: list[Record] = [
        Entity(id=f"{n:032x}", entity_id=f"sensor.s{n}", unique_id=str(n), platform="demo")
        for n in range(6000)
    ]
    stand.reconcile(*home)
    stand.server.stop(signal.SIGKILL)
    stand.server.start()
    assert stand.fresh().observe().versions == snapshot(*home).home.hashes


def test_a_server_killed_in_mid_batch_is_caught_up_with(stand: Stand2) -> None:
    home = [ENTRY, *(entity(n, name="x" * 300) for n in range(3000))]
    stand.reconcile(*home[:1000])
    write = stand.wire.write

    def dying(body: bytes) -> None:
        if not body.startswith(b"ha_run"):
            stand.server.stop(signal.SIGKILL)
        write(body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand.wire, "write", dying)
        with pytest.raises(ReplicaUnavailable):
            one_pass(stand.fresh(), stand.rows, snapshot(*home), at=NOON + 5)
    stand.catch_up(*home)


def test_a_refused_record_is_named_and_the_others_are_written(stand: Stand2) -> None:
    # A value of another type fixes the field's type for this measurement and week.
    stand.wire.write(f'ha_area,site=other,id=x payload=1i,hash="1:00" {int(NOON * 1e9) - 5}'.encode())
    with pytest.raises(ReplicaRejected, match=r"refused 1 of 5 records \(area/kitchen\).*conflict"):
        one_pass(stand.replica, stand.rows, snapshot(*HOME))
    assert {k for k in stand.fresh().observe().versions if k.registry != "area"} == {
        r.key for r in HOME if r.key.registry != "area"
    }


def test_a_value_of_another_type_is_refused_because_it_hides_others(stand: Stand2) -> None:
    stand.reconcile(ENTRY, at=NOON - 20 * 86_400)  # the window reaches back to the oldest live record
    stand.reconcile(*HOME)
    week_ago = int((NOON - 9 * 86_400) * 1e9)
    stand.wire.write(f"ha_entity,site=home,id=x hash=1.5 {week_ago}".encode())
    for is_verified in (False, True):
        with pytest.raises(ReplicaRejected, match=r"[Dd]elete (its|the) points"):
            stand.fresh().observe(verify=is_verified)
    stand.server.delete('_measurement="ha_entity" AND id="x"')
    assert stand.fresh().observe().versions == snapshot(*HOME).home.hashes


def test_a_value_of_another_type_in_another_site_is_found_by_verification(stand: Stand2) -> None:
    stand.reconcile(ENTRY, at=NOON - 20 * 86_400)
    stand.reconcile(*HOME)
    week_ago = int((NOON - 9 * 86_400) * 1e9)
    stand.wire.write(f"ha_entity,site=other,id=x hash=1.5 {week_ago}".encode())
    found = stand.fresh().observe(verify=True).versions
    assert {key.registry for key in snapshot(*HOME).home.hashes.keys() ^ found.keys()} == set()
    assert found != snapshot(*HOME).home.hashes


def test_records_are_renewed_before_retention_takes_them(stand: Stand2) -> None:
    now = time.time()
    stand.reconcile(*HOME, at=now - 20 * 86_400)
    stand.server.keep(30 * 86_400)
    assert stand.wire.retention_seconds() == 30 * 86_400
    replica = stand.fresh()
    one_pass(replica, stand.rows, snapshot(*HOME), at=now)
    replica.upkeep(snapshot(*HOME), Run("refresh", now, "test", None))
    assert stand.time_of(entity(1).key) > (now - 60) * 1e9
    assert stand.fresh().observe().versions == snapshot(*HOME).home.hashes
    with pytest.raises(BatchRefused, match="retention"):
        stand.wire.write(f"m f=1i {int((now - 40 * 86_400) * 1e9)}".encode())


def test_the_old_measurements_are_read(stand: Stand2) -> None:
    lines = [
        f'devices,device_id={device(1).id},manufacturer=Acme,model=X,area_id=kitchen name="Lamp",entity_count=0i 1',
        f'devices,device_id={device(1).id},manufacturer=Acme,model=X,area_id=bedroom name="Lamp",entity_count=0i 2',
        'devices,device_id=gone,manufacturer=Acme,model=Y,area_id=attic name="",entity_count=0i 3',
        'entities,entity_id=sensor.s1,device_id=d,domain=sensor,platform=demo unique_id="u1" 4',
        'entities,entity_id=sensor.gone,device_id=d,domain=sensor,platform=demo unique_id="u2",disabled=false 5',
    ]
    stand.wire.write("\n".join(lines).encode())
    report = find_legacy(stand.wire, snapshot(*HOME))
    assert report.series == 5
    assert [(r.id, r.tags["area_id"]) for r in report.stale_duplicates] == [(device(1).id, "kitchen")]
    assert [(r.measurement, r.id) for r in report.removed] == [
        ("devices", "gone"),
        ("entities", "sensor.gone"),
    ]


@pytest.mark.parametrize(
    ("old", "new"), [("/homes", "/nowhere"), ("org=org", "org=nobody"), ("org=org&", "")]
)
def test_a_wrong_bucket_or_org_is_reported_and_no_empty_home(
    influxdb2: InfluxServer2, old: str, new: str
) -> None:
    wire = open_wire(influxdb2.uri.replace(old, new), influxdb2.credentials, timeout_seconds=60)
    for attempt in (
        lambda: list(wire.scan(Scan(measurements=("ha_run",), fields=("run",)))),
        wire.check_may_write,
    ):
        with pytest.raises(ReplicaRejected, match=r"correct BUCKET and org|org=ORG") as reported:
            attempt()
        assert not isinstance(reported.value, BatchRefused)
    wire.close()


def test_read_and_write_permission_are_distinguished(influxdb2: InfluxServer2) -> None:
    wrong = Credentials(token=Secret("a-wrong-token"))
    cases = {
        ("ok", "ok"): [influxdb2.credentials, influxdb2.token("read", "write")],
        ("ok", "failed"): [influxdb2.token("read")],
        ("failed", "ok"): [influxdb2.token("write")],
        ("failed", "failed"): [influxdb2.token(), wrong, Credentials()],
    }
    for expected, credentials in cases.items():
        for given_ in credentials:
            wire = open_wire(influxdb2.uri, given_, timeout_seconds=60)
            checks = check_server(wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
            found = {c.name: c.status for c in checks}
            assert (found["read"], found["write"]) == expected, checks
            token = given_.token.reveal()
            assert not token or token not in repr(checks)
            wire.close()


def test_the_doctor_finds_nothing_wrong_and_auto_takes_wire_v2(influxdb2: InfluxServer2) -> None:
    uri = influxdb2.uri.replace("wire=v2", "wire=auto")
    wire = open_wire(uri, influxdb2.credentials, timeout_seconds=60)
    checks = check_server(wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
    assert [(c.name, c.status) for c in checks] == [
        (name, "ok") for name in ("server", "read", "write", "retention", "clock", "types", "future points")
    ]
    assert "over wire v2" in checks[0].found
    assert wire.started()
    other = open_wire(uri.replace("wire=auto", "wire=v1"), influxdb2.credentials, timeout_seconds=60)
    assert other.started() == wire.started()  # a restart is noticed over InfluxQL, too
    other.close()
    influxdb2.keep(2 * 3600)
    checks = check_server(wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
    assert {c.name: c.status for c in checks}["retention"] == "failed"
    wire.close()


def test_auto_reads_a_home_over_influxql_unless_the_buckets_name_leads_elsewhere(
    stand: Stand2, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.reconcile(*HOME)
    over_influxql: list[Scan] = []
    scan_v1 = WireV1.scan

    def noted(wire: WireV1, scan: Scan) -> Iterator[Block]:
        over_influxql.append(scan)
        return scan_v1(wire, scan)

    monkeypatch.setattr(WireV1, "scan", noted)

    def look() -> tuple[dict[Key, str], set[str]]:
        wire = open_wire(
            stand.server.uri.replace("wire=v2", "wire=auto"), stand.server.credentials, timeout_seconds=60
        )
        over_influxql.clear()
        replica = InfluxRecords(
            wire, InfluxOptions(site="home"), outbox=None, clock=time.time, sleep=time.sleep
        )
        versions = dict(replica.observe().versions)
        replica.close()
        return versions, {measurement for scan in over_influxql for measurement in scan.measurements}

    versions, asked = look()
    assert versions == snapshot(*HOME).home.hashes
    assert "ha_entity" in asked
    stand.server.map_elsewhere()
    versions, asked = look()
    assert versions == snapshot(*HOME).home.hashes
    assert asked == {"ha_run"}


def test_what_the_server_refuses_is_distinguished(influxdb2: InfluxServer2) -> None:
    wire = open_wire(influxdb2.uri, influxdb2.credentials, timeout_seconds=60)
    with pytest.raises(BatchRefused, match="unable to parse"):
        wire.write(b"no line\nfine,site=x f=1i 5")
    wire.write(b"fine,site=x f=1i 5")  # the connection is usable again
    far = Scan(measurements=("fine",), fields=("f",), tags=("site",), start_ns=5 * 10**18)
    assert list(wire.scan(far)) == []
    assert [rows for _, rows in wire.scan(msgspec.structs.replace(far, start_ns=0))] == [[[5, "x", 1]]]
    wire.close()


def test_each_mistake_in_the_address_or_the_token_is_reported_by_its_name(influxdb2: InfluxServer2) -> None:
    bucket = influxdb2._bucket()
    own, all_ = influxdb2.credentials, influxdb2.uri
    cases = {
        "names none": (all_.replace("org=org&", ""), own),
        "bucket's name": (all_.replace("/homes", f"/{bucket['id']}"), own),
        "read the bucket too": (all_, influxdb2.token("write")),
    }
    for reported, (uri, credentials) in cases.items():
        wire = open_wire(uri, credentials, timeout_seconds=60)
        with pytest.raises(ReplicaRejected, match=reported):
            list(wire.scan(Scan(measurements=("ha_run",), fields=("run",))))
        wire.close()
    influxdb2.keep(30 * 86_400)
    wire = open_wire(all_.replace("org=org", f"org={bucket['orgID']}"), own, timeout_seconds=60)
    assert wire.retention_seconds() == 30 * 86_400
    wire.close()


def test_the_doctor_names_a_value_of_another_type(stand: Stand2) -> None:
    stand.reconcile(*HOME)
    stand.wire.write(f"ha_entity,site=other,id=x hash=1.5 {int((NOON - 9 * 86_400) * 1e9)}".encode())
    checks = check_server(stand.wire, site="home", refresh_wanted_seconds=432_000, clock=time.time)
    found = {c.name: c for c in checks}["types"]
    assert found.status == "warning"
    assert "ha_entity.hash is float instead of string, last at site=other, id=x" in found.found
