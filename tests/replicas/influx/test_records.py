"""The InfluxDB replica on a wire in memory: tests that need a clock, a failing server, or a count of requests."""

import pytest

from engine.errors import ReplicaDiverged, ReplicaRejected
from engine.ports import Records, Replica, Run
from engine.replicas.influx.schema.points import live_digest
from engine.replicas.influx.wires.failures import BatchRefused, InfluxUnavailable
from tests.fakes.influx_stand import DAY, HOME, Stand
from tests.fakes.influxdb import parse_line
from tests.homes import ENTRY, NOON, entity, snapshot
from tests.replicas.passes import one_pass, plan_of, run_of


def test_it_is_a_records_replica_with_upkeep(stand: Stand) -> None:
    records: Records = stand.replica
    assert type(records).upkeep is not Replica.upkeep, "it has work to do even when nothing differs"
    assert (records.name, records.stores_derived, records.data_version()) == ("influxdb", False, None)


def test_a_run_stands_between_its_markers(stand: Stand) -> None:
    stand.reconcile(*HOME)
    begin, commit = stand.markers()
    assert (begin["state"], begin["run"], commit["run"]) == ("begin", "run", "run")
    assert {k: commit[k] for k in ("state", "n_create", "n_update", "n_delete", "n_live", "window_s")} == {
        "state": "commit", "n_create": 4, "n_update": 0, "n_delete": 0, "n_live": 4, "window_s": 2,
    }  # fmt: skip
    assert commit["digest"] == live_digest(snapshot(*HOME).home.hashes)
    times = [parse_line(line)[3] for line in stand.wire.lines()]
    assert times == sorted(set(times))


@pytest.mark.slow
def test_two_hundred_changes_are_two_data_requests(stand: Stand) -> None:
    stand.reconcile(*HOME, *(entity(n) for n in range(10, 160)))
    stand.wire.bodies.clear()
    changed = [entity(n, name="new") for n in range(10, 110)]
    stand.reconcile(*HOME, *changed, *(entity(n) for n in range(200, 250)), after=60)
    assert stand.ops().count("delete") == 50
    assert len(stand.ops()) == 200
    assert len(stand.wire.data_requests()) == 2


def test_a_pass_without_changes_sends_nothing(stand: Stand) -> None:
    stand.reconcile(*HOME)
    stand.wire.bodies.clear()
    stand.reconcile(*HOME, after=3600)
    stand.replica = stand.fresh()
    stand.reconcile(*HOME, after=3600)
    assert stand.wire.bodies == []


def test_after_long_silence_everything_is_still_seen(stand: Stand) -> None:
    stand.reconcile(*HOME)
    stand.reconcile(*HOME, entity(3), after=3 * DAY)
    stand.now += 1000 * DAY
    stand.replica = stand.fresh()
    assert stand.replica.observe().versions == snapshot(*HOME, entity(3)).home.hashes


def test_a_plain_look_reads_a_window_and_not_all_history(stand: Stand) -> None:
    for day in range(30):
        stand.reconcile(*HOME[:3], entity(2, name=str(day)), after=DAY)
    stand.wire.scans.clear()
    stand.replica.observe(verify=False)
    start_ns = stand.wire.scans[-1].start_ns
    assert start_ns > (stand.now - 6 * DAY) * 1e9


@pytest.mark.slow
def test_no_read_starts_at_the_beginning_of_a_long_history(
    stand: Stand,
) -> None:
    many = [entity(n) for n in range(10, 700)]
    stand.reconcile(*HOME, *many)
    for _ in range(10):
        stand.reconcile(*HOME, *many, after=2 * DAY)
    stand.replica = stand.fresh()
    stand.wire.scans.clear()
    stand.reconcile(*HOME, *(entity(n, name="new") for n in range(10, 700)), entity(3), after=60)
    by_id = [scan for scan in stand.wire.scans if scan.ids == (entity(3).id,)]
    assert {scan.start_ns for scan in by_id} == {0}  # it may have ended at any time
    # A record is renewed within five days, and a pass is made every two.
    window_ns = (5 + 2 + 1) * DAY * 10**9
    others = [scan for scan in stand.wire.scans if scan not in by_id]
    assert [scan for scan in others if scan.start_ns < stand.now * 10**9 - window_ns] == []


def test_a_record_that_returns_after_its_delete_left_the_window_continues_its_revision_numbers(
    stand: Stand,
) -> None:
    stand.reconcile(*HOME, entity(3))
    stand.reconcile(*HOME, after=60)
    for _ in range(20):
        stand.reconcile(*HOME, after=DAY)
    stand.replica = stand.fresh()
    stand.reconcile(*HOME, entity(3), after=60)
    assert [(r.op, r.rev) for r in stand.replica.timeline(entity(3).key)] == [
        ("create", 1), ("delete", 2), ("create", 3),
    ]  # fmt: skip


def test_a_first_fill_reads_no_earlier_points(stand: Stand) -> None:
    stand.reconcile(*HOME)
    assert not any(scan.ids for scan in stand.wire.scans)


def test_a_pass_with_two_hundred_changes_reads_three_times(stand: Stand) -> None:
    many = [entity(n) for n in range(10, 300)]
    stand.reconcile(*HOME, *many)
    stand.replica = stand.fresh()
    stand.wire.scans.clear()
    stand.now += 60
    changed = [entity(n, name="new") for n in range(10, 110)]
    one_pass(stand.replica, stand.rows, snapshot(*HOME, *changed, *many[100:190]), at=stand.now)
    assert len([scan for scan in stand.wire.scans if scan.measurements != ("ha_run",)]) == 3


@pytest.mark.parametrize("retention", [0, None, 4 * DAY])
def test_what_does_not_change_is_renewed_before_retention_takes_it(
    stand: Stand, retention: int | None
) -> None:
    stand.wire.retention = retention
    stand.reconcile(*HOME)
    for _ in range(60):
        stand.reconcile(*HOME, after=DAY / 2)
        kept = (retention or 5 * DAY) * 1e9
        newest = [max(points) for (name, _), points in stand.wire.series.items() if name != "ha_run"]
        assert all(stand.now * 1e9 - at_ns <= kept for at_ns in newest)
    assert set(stand.ops()) == {"create", "refresh"}
    renewals = stand.ops().count("refresh") / 4
    within = min(5 * DAY, retention / 2 if retention else 5 * DAY)
    assert 30 * DAY / within - 1 <= renewals <= 30 * DAY / (0.75 * within) + 1
    assert [r.op for r in stand.replica.timeline(entity(1).key)] == ["create"]
    assert {r.rev for r in stand.replica.as_of(stand.now).values()} == {1}


def test_in_influxdb_3_everything_is_renewed_daily(stand: Stand) -> None:
    stand.wire.version = "3.10.1"
    stand.reconcile(*HOME)
    stand.reconcile(*HOME, after=DAY)
    assert stand.ops() == ["create"] * 4 + ["refresh"] * 4


def test_a_record_whose_delete_is_held_is_renewed_as_well(stand: Stand) -> None:
    stand.reconcile(*HOME)
    stand.now += 6 * DAY
    stand.replica.observe()
    stand.replica.upkeep(snapshot(ENTRY), stand.run())
    assert stand.ops().count("refresh") == 4


def test_an_altered_point_is_not_renewed_but_repaired(stand: Stand) -> None:
    stand.reconcile(*HOME)
    series = next(points for (_, tags), points in stand.wire.series.items() if ("id", entity(1).id) in tags)
    next(iter(series.values()))["payload"] = "{}"
    stand.now += 6 * DAY
    stand.replica.observe(verify=False)
    stand.replica.upkeep(snapshot(*HOME), stand.run())
    assert stand.ops().count("refresh") == 3
    stand.replica = stand.fresh()
    stand.reconcile(*HOME, after=1)
    assert stand.ops()[-1] == "repair"


@pytest.mark.parametrize(
    "doubt",
    [
        pytest.param(lambda s: setattr(s.wire, "start", "second"), id="server restarted"),
        pytest.param(lambda s: setattr(s.wire, "retention", 30 * DAY), id="retention changed"),
        pytest.param(lambda s: setattr(s, "now", s.now + 3600), id="an hour went by"),
        pytest.param(lambda s: setattr(s, "replica", s.fresh()), id="new process"),
        pytest.param(lambda s: setattr(s.replica._sender, "is_doubtful", True), id="unknown outcome"),
    ],
)
def test_payloads_are_read_again_when_there_is_a_doubt(stand: Stand, doubt: object) -> None:
    stand.reconcile(*HOME)
    stand.wire.scans.clear()
    stand.replica.observe()
    assert not any("payload" in scan.fields for scan in stand.wire.scans)
    assert callable(doubt)
    doubt(stand)
    stand.replica.observe()
    assert any("payload" in scan.fields for scan in stand.wire.scans)
    stand.wire.scans.clear()
    stand.replica.observe()
    assert not any("payload" in scan.fields for scan in stand.wire.scans)


def test_a_batch_of_unknown_outcome_stays_in_the_outbox_and_is_resent_unchanged(stand: Stand) -> None:
    stand.reconcile(ENTRY)

    def store_and_break(body: bytes) -> None:
        if not body.startswith(b"ha_run"):
            raise InfluxUnavailable("the connection broke")

    stand.wire.before_write = store_and_break
    with pytest.raises(InfluxUnavailable):
        one_pass(stand.replica, stand.rows, snapshot(*HOME), at=NOON + 1)
    [(_, kept)] = stand.outbox.pending("influxdb")
    assert set(stand.wire.data_requests()[1:]) == {kept}
    stand.wire.before_write = lambda _body: None
    stand.replica = stand.fresh()
    stand.replica.upkeep(snapshot(*HOME), run_of(stand.replica, snapshot(*HOME)))
    assert stand.outbox.pending("influxdb") == []
    assert stand.replica.observe().versions == snapshot(*HOME).home.hashes


def test_a_batch_of_a_killed_process_arrives_before_anything_is_compared(stand: Stand) -> None:
    stand.reconcile(*HOME)

    class Killed(BaseException):
        """As by kill -9: nothing of ours runs after it."""

    def die(body: bytes) -> None:
        if not body.startswith(b"ha_run"):
            raise Killed

    stand.wire.before_write = die
    with pytest.raises(Killed):
        one_pass(stand.replica, stand.rows, snapshot(*HOME[:3], entity(2, name="old")), at=NOON + 1)
    stand.wire.before_write = lambda _body: None
    # Home Assistant changed its mind meanwhile; what we find equal now would not be once the batch has arrived.
    stand.replica = stand.fresh()
    stand.reconcile(*HOME, after=2)
    assert stand.outbox.pending("influxdb") == []
    assert [r.fields.get("name") for r in stand.replica.timeline(entity(2).key)] == [None, "old", None]


def test_what_another_pass_wrote_meanwhile_stays_newest(stand: Stand) -> None:
    stand.reconcile(*HOME)
    operations = plan_of(stand.replica, stand.rows, snapshot(*HOME[:3], entity(2, name="old"))).operations

    def refuse(body: bytes) -> None:
        if not body.startswith(b"ha_run"):
            raise InfluxUnavailable("away")

    stand.wire.before_write = refuse
    with pytest.raises(InfluxUnavailable):
        stand.replica.apply(operations, Run("first", NOON + 1, "test", None))
    stand.wire.before_write = lambda _body: None
    desired = snapshot(*HOME[:3], entity(2, name="new"))
    one_pass(stand.fresh(), stand.rows, desired, at=NOON + 2)
    assert stand.fresh().observe().versions == desired.home.hashes
    assert [r.fields.get("name") for r in stand.replica.timeline(entity(2).key)] == [None, "old", "new"]


def test_a_refused_record_is_named_and_the_run_ends_with_the_other_writes(stand: Stand) -> None:
    def refuse(body: bytes) -> None:
        if f"id={entity(2).id} ".encode() in body:
            raise BatchRefused("influxdb", "field type conflict.")

    stand.wire.before_write = refuse
    with pytest.raises(ReplicaRejected, match=rf"refused 1 of 4 records \(entity/{entity(2).id}\)"):
        one_pass(stand.replica, stand.rows, snapshot(*HOME))
    assert stand.replica.observe().versions == snapshot(*HOME[:3]).home.hashes
    assert [m["n_live"] for m in stand.markers()] == [0, 3]
    assert stand.outbox.pending("influxdb") == []


def test_a_server_that_forgets_is_found_out_before_the_run_is_called_done(stand: Stand) -> None:
    def forget(body: bytes) -> None:
        stand.wire.is_forgetful = not body.startswith(b"ha_run")

    stand.wire.before_write = forget
    with pytest.raises(ReplicaDiverged, match="4 of them do not read back"):
        one_pass(stand.replica, stand.rows, snapshot(*HOME))
    assert [m["state"] for m in stand.markers()] == ["begin"]
    assert stand.outbox.pending("influxdb")


def test_opened_to_look_only_it_writes_nothing(stand: Stand) -> None:
    stand.reconcile(*HOME)
    stand.wire.bodies.clear()
    stand.outbox.put("influxdb", b"ha_area,site=home,id=x f=1i 5")
    looking = stand.fresh(read_only=True)
    operations = plan_of(looking, stand.rows, snapshot(ENTRY)).operations
    with pytest.raises(ReplicaRejected, match="for reading only"):
        looking.apply(operations, stand.run())
    stand.now += 100 * DAY
    looking.observe()
    looking.upkeep(snapshot(*HOME), stand.run())
    assert stand.wire.bodies == []


def test_two_homes_share_a_bucket(stand: Stand) -> None:
    stand.reconcile(*HOME)
    other = stand.fresh(site="other")
    assert other.observe().versions == {}
    one_pass(other, stand.rows, snapshot(entity(9)), at=NOON + 1)
    assert stand.fresh().observe().versions == snapshot(*HOME).home.hashes
    assert other.observe().versions == snapshot(entity(9)).home.hashes
