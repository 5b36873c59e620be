"""The contract of every replica: one suite over the rows file, the history file, InfluxDB and Kafka."""

import itertools
import math
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from engine.core.compare.diff import Cause
from engine.core.compare.plan import Action
from engine.core.home.list_order import positions_of
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Entity, Key, Record
from engine.core.records.record_json import canonical_fields, encode_record
from engine.errors import ReplicaRejected
from engine.loop.passes.memory import ReplicaMemory
from engine.ports import Ledger, Replica
from engine.replicas.history.replica import open_history
from engine.replicas.influx.open import open_wire
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.records import InfluxRecords
from engine.replicas.influx.schema.points import MEASUREMENTS
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.wire import Scan, Wire
from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.contract.kafka_stand import KafkaStand, broker_stand, memory_stand
from tests.fakes.influxdb import MemoryWire
from tests.fakes.world import MemoryLedger
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.real.influxdb import InfluxMissingError, InfluxServer, influxdb_or_skip
from tests.real.influxdb2 import running_influxdb2
from tests.replicas.passes import captured_records, one_pass, plan_of, run_of, sql, versions


class Stand(msgspec.Struct):
    """A replica under test, the ledger that goes with it, and how to disturb its store."""

    replica: Replica
    ledger: Ledger
    contents: Callable[[], bytes | None]  # everything in the store; None while there is none
    alter: Callable[[], object]  # change what entity e1 is called
    make_newer: Callable[[], object]
    reopen: Callable[[], Replica]

    def reconcile(self, desired: Snapshot, at: float = NOON) -> None:
        one_pass(self.replica, self.ledger, desired, at=at)
        assert self.replica.observe().versions == versions(self.replica, desired)


def rows_stand(path: Path, rows: SqliteRows) -> Stand:
    return Stand(
        rows,
        rows,
        partial(file_contents, path),
        lambda: sql(path, f"UPDATE entities SET name = 'altered' WHERE id = '{entity(1).id}'"),
        lambda: sql(path, "UPDATE reconcile_meta SET value = 99 WHERE name = 'schema_version'"),
        lambda: open_rows(path, busy_timeout_seconds=0),
    )


def history_stand(path: Path, ledger: Ledger) -> Stand:
    alter = f"UPDATE records SET payload = json_set(payload, '$.name', 'altered') WHERE id = '{entity(1).id}'"
    return Stand(
        open_history(path, busy_timeout_seconds=0),
        ledger,
        partial(file_contents, path),
        lambda: sql(path, alter),
        lambda: sql(path, "UPDATE meta SET value = 99 WHERE name = 'schema_version'"),
        lambda: open_history(path, busy_timeout_seconds=0),
    )


def influx_stand(wire: Wire, site: str, store: Callable[[bytes], object], ledger: Ledger) -> Stand:
    # Every look verifies, as the first one of a process does; commits are dated by the runs.
    options = InfluxOptions(site=site, verify_seconds=0, clock_skew_seconds_max=math.inf)

    def fresh() -> InfluxRecords:
        return InfluxRecords(
            wire, options, outbox=None, clock=lambda: NOON + 3600, sleep=lambda _seconds: None
        )

    def rewrite(fields: str) -> None:
        scan = Scan(measurements=("ha_entity",), site=site, fields=("hash",), ids=(entity(1).id,))
        newest = max(row[0] for _, rows in wire.scan(scan) for row in rows)
        store(f"ha_entity,site={site},id={entity(1).id} {fields} {newest}".encode())

    def contents() -> bytes | None:
        scan = Scan(measurements=(*MEASUREMENTS, "ha_run"), site=site, fields=("hash", "payload", "state"))
        rows = sorted(repr((block.measurement, row)) for block in wire.scan(scan) for row in block.rows)
        return "\n".join(rows).encode() if rows else None

    altered = encode_record(entity(1, name="altered", device_id=device(1).id)).decode().replace('"', '\\"')
    return Stand(
        fresh(),
        ledger,
        contents,
        lambda: rewrite(f'payload="{altered}"'),
        lambda: rewrite("schema=99i"),
        fresh,
    )


def kafka_stand(made: KafkaStand, ledger: Ledger) -> Stand:
    return Stand(made.replica, ledger, made.contents, made.alter, made.make_newer, made.reopen)


def file_contents(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.fixture(scope="module")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influxdb_or_skip(tmp_path_factory.mktemp("influxdb")) as server:
        yield server


@pytest.fixture(scope="module")
def influxdb18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influxdb_or_skip(tmp_path_factory.mktemp("influxdb18"), version="1.8") as server:
        yield server


@pytest.fixture(scope="module")
def influxdb2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Credentials]]:
    try:
        with running_influxdb2(tmp_path_factory.mktemp("influxdb2")) as server:
            yield server
    except InfluxMissingError as missing:
        pytest.skip(str(missing))


# A server that is not ours may hold what an earlier run wrote.
SITES = (f"{secrets.token_hex(4)}-{number}" for number in itertools.count())


@pytest.fixture(
    params=[
        "sqlite",
        "history",
        "influxdb in memory",
        pytest.param("influxdb 1.x", marks=pytest.mark.real_server),
        pytest.param("influxdb 1.8", marks=pytest.mark.real_server),
        pytest.param("influxdb 1.8 over Flux", marks=pytest.mark.real_server),
        pytest.param("influxdb 2.x", marks=pytest.mark.optional_server),
        "kafka in memory",
        pytest.param("kafka", marks=pytest.mark.real_server),
        pytest.param("older_kafka", marks=pytest.mark.real_server),
        pytest.param("influxdb 2.x, auto", marks=pytest.mark.optional_server),
    ]
)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    rows = open_rows(tmp_path / "rows.db", busy_timeout_seconds=0)
    if request.param == "sqlite":
        made = rows_stand(tmp_path / "rows.db", rows)
    elif request.param == "history":
        made = history_stand(tmp_path / "history.db", rows)
    elif request.param == "influxdb in memory":
        memory = MemoryWire(lambda: NOON)
        made = influx_stand(memory, "home", memory.store, rows)
    elif request.param == "kafka in memory":
        made = kafka_stand(memory_stand(), rows)
    elif "kafka" in request.param:
        made = kafka_stand(broker_stand(request.getfixturevalue(request.param), next(SITES)), rows)
    else:
        if "2.x" in request.param:
            uri, credentials = request.getfixturevalue("influxdb2")
            uri = uri.replace("wire=v2", "wire=auto") if "auto" in request.param else uri
        elif request.param == "influxdb 1.x":
            uri, credentials = request.getfixturevalue("influxdb").uri, Credentials()
        else:
            server = request.getfixturevalue("influxdb18")
            uri, credentials = server.flux_uri if "Flux" in request.param else server.uri, Credentials()
        wire = open_wire(uri, credentials, timeout_seconds=10)
        made = influx_stand(wire, next(SITES), wire.write, rows)  # each test has a home of its own
    yield made
    made.replica.close()
    rows.close()


HOME = (
    ENTRY,
    Area(area_id="kitchen", name="Kitchen"),
    device(1, area_id="kitchen"),
    entity(1, device_id=device(1).id),
)


def test_an_absent_store_is_empty_and_stays_absent(stand: Stand) -> None:
    assert stand.replica.observe().versions == {}
    assert stand.replica.read([entity(1).key]) == {}
    stand.replica.apply([], run_of(stand.replica, snapshot()))
    assert stand.contents() is None


def test_applied_records_are_observed_after_reopening(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    stand.replica.close()
    again = stand.reopen()
    assert again.observe().versions == versions(again, snapshot(*HOME))
    again.close()
    again.close()


def test_a_second_pass_plans_and_writes_nothing(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    stand.replica.close()
    before = stand.contents()
    assert one_pass(stand.replica, stand.ledger, snapshot(*HOME)).operations == ()
    stand.replica.close()
    assert stand.contents() == before


@pytest.mark.parametrize(
    "after",
    [
        pytest.param((*HOME[:3], entity(1, name="Lamp", labels=("b", "a"))), id="update"),
        pytest.param(HOME[:3], id="delete"),
        pytest.param((*HOME[:3], entity(1, entity_id="sensor.renamed")), id="move"),
        pytest.param((ENTRY,), id="delete all but one"),
        pytest.param((*HOME, device(2, name=None), entity(2, device_id=device(2).id)), id="add"),
    ],
)
def test_a_change_arrives(stand: Stand, after: tuple[Entity, ...]) -> None:
    stand.reconcile(snapshot(*HOME))
    stand.reconcile(snapshot(*after), NOON + 60)


def test_another_naming_rule_updates_rows_and_makes_no_revision(stand: Stand) -> None:
    named = (ENTRY, device(1, name="Plug"), entity(1, device_id=device(1).id, name="Mine"))
    before, after = (
        snapshot(*named, health=SourceHealth(ha_version=version, state="RUNNING"))
        for version in ("2026.10.0", "2026.11.0")
    )
    stand.reconcile(before)
    plan = one_pass(stand.replica, stand.ledger, after, at=NOON + 60)
    changed = {(o.action, o.key, f.name, f.source) for o in plan.operations for f in o.fields}
    row_update = {(Action.UPSERT, entity(1).key, "effective_name", "Plug Mine")}
    assert changed == (row_update if stand.replica.stores_derived else set())
    assert len(plan.operations) == len(changed)


def test_entities_swap_and_shift_their_names(stand: Stand) -> None:
    names = ["sensor.a", "sensor.b", "sensor.c", "sensor.d"]
    stand.reconcile(snapshot(*(entity(n, entity_id=name) for n, name in enumerate(names))))
    swapped = ["sensor.b", "sensor.a", "sensor.d", "sensor.e"]
    plan = plan_of(
        stand.replica, stand.ledger, snapshot(*(entity(n, entity_id=x) for n, x in enumerate(swapped)))
    )
    assert {o.action for o in plan.operations} == {Action.MOVE}
    stand.reconcile(snapshot(*(entity(n, entity_id=name) for n, name in enumerate(swapped))))


def test_an_entity_is_found_by_every_name_it_had(stand: Stand) -> None:
    if not hasattr(stand.replica, "holders"):
        return  # keeps no earlier versions
    stand.reconcile(snapshot(entity(1, entity_id="sensor.x"), entity(2)))
    stand.reconcile(snapshot(entity(1, entity_id="sensor.y"), entity(3, entity_id="sensor.x")), NOON + 1)
    assert stand.replica.holders("sensor.x") == [entity(1).key, entity(3).key]
    assert stand.replica.holders("sensor.y") == [entity(1).key]
    assert stand.replica.holders("sensor.") == []


def ordered(*areas: str, home: tuple[Record, ...] = ()) -> Snapshot:
    positions = positions_of({"area": [Key("area", name) for name in areas]})
    return snapshot(*home, *(Area(area_id=name, name=name) for name in sorted(areas)), positions=positions)


def test_the_users_order_is_kept_for_who_restores(stand: Stand) -> None:
    if not stand.replica.keeps_order:
        return  # keeps it in its rows
    first, moved = ordered("b", "a"), ordered("a", "b")
    assert stand.replica.order() == {}
    stand.reconcile(first)
    run = run_of(stand.replica, first)
    stand.replica.keep_order(first.home.positions, run)
    assert stand.replica.order() == first.home.positions
    stand.replica.keep_order(moved.home.positions, run)
    assert stand.replica.order() == moved.home.positions
    fresh = stand.reopen()
    assert fresh.order() == moved.home.positions
    # A later write does not lose it.
    stand.reconcile(ordered("a", "b", home=(ENTRY, device(1))), NOON + 1)
    assert fresh.order() == moved.home.positions
    assert stand.replica.observe().versions == ordered("a", "b", home=(ENTRY, device(1))).home.hashes
    fresh.close()


def test_a_new_entity_takes_the_name_of_a_deleted_one(stand: Stand) -> None:
    stand.reconcile(snapshot(entity(1, entity_id="sensor.x")))
    stand.reconcile(snapshot(entity(2, entity_id="sensor.x")))


def test_the_memory_knows_without_a_read_if_a_row_that_lost_its_entity_id_stays(
    stand: Stand,
) -> None:
    stand.reconcile(snapshot(entity(1, entity_id="sensor.x"), entity(3)))
    # Without ledger entries the first one looks foreign, so it is not deleted.
    desired = snapshot(entity(2, entity_id="sensor.x"), entity(3))
    plan = plan_of(stand.replica, MemoryLedger(), desired)
    [operation] = plan.operations
    assert operation.replaces == entity(1).key
    memory = ReplicaMemory(None, stand.replica.observe().versions, {})
    stand.replica.apply(plan.operations, run_of(stand.replica, desired, NOON + 1))
    memory.take(
        plan.operations,
        (),
        versions(stand.replica, desired),
        drops_replaced=stand.replica.drops_replaced,
    )
    assert memory.versions == stand.replica.observe().versions
    assert memory.counts == Counter(key.registry for key in memory.versions)


def test_a_deleted_record_returns(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    stand.reconcile(snapshot(ENTRY), NOON + 1)
    stand.reconcile(snapshot(*HOME), NOON + 2)


def test_a_composite_device_is_inherited_by_its_first_part(stand: Stand) -> None:
    stand.reconcile(snapshot(ENTRY, device(1)))
    split = snapshot(ENTRY, device(2), device(3), splits={device(1).id: (device(2).id, device(3).id)})
    moved = [o for o in plan_of(stand.replica, stand.ledger, split).operations if o.moved_from]
    assert [(o.moved_from, o.key) for o in moved] == [(device(1).key, device(2).key)]
    stand.reconcile(split)


def test_an_altered_row_is_seen_as_drift_and_healed(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    stand.alter()
    [operation] = plan_of(stand.replica, stand.ledger, snapshot(*HOME)).operations
    assert operation.difference.cause is Cause.DRIFT
    assert operation.key == entity(1).key
    assert [(c.name, c.source, c.replica) for c in operation.fields] == [("name", None, "altered")]
    stand.reconcile(snapshot(*HOME), NOON + 1)


def test_a_cut_off_write_leaves_the_store_as_it_was(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    observed = stand.replica.observe()
    changed = snapshot(*HOME[:3], entity(1, name="new"), entity(2), entity(3))
    operations = plan_of(stand.replica, stand.ledger, changed).operations
    poison = msgspec.structs.replace(
        operations[-1], after=entity(3, name="\ud800")
    )  # no text SQLite can hold
    with pytest.raises((ReplicaRejected, UnicodeEncodeError)):
        stand.replica.apply([*operations[:-1], poison], run_of(stand.replica, changed))
    assert stand.replica.observe() == observed
    stand.reconcile(changed)


def test_a_newer_schema_is_refused_and_both_versions_named(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    [operation] = plan_of(
        stand.replica, stand.ledger, snapshot(*HOME, Area(area_id="attic", name="Attic"))
    ).operations
    stand.make_newer()
    for attempt in (stand.replica.observe, lambda: stand.replica.read([entity(1).key])):
        with pytest.raises(ReplicaRejected, match=r"99.*knows [12].*[Uu]pdate this program"):
            attempt()
    with pytest.raises(ReplicaRejected, match="99"):
        stand.replica.apply([operation], run_of(stand.replica, snapshot(*HOME)))


@pytest.mark.parametrize("version", ["2024.3.3", "2026.11.0"])
def test_every_record_of_a_real_home_reads_back_unchanged(stand: Stand, version: str) -> None:
    records = captured_records(version)
    assert len(records) > 50
    stand.reconcile(snapshot(*records))
    stored = stand.replica.read(record.key for record in records)
    assert {key: row.fields for key, row in stored.items()} == {r.key: canonical_fields(r) for r in records}


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 80, 100, 166, 167, 200, 201, 1_000])
def test_any_number_of_records_changes_returns_and_is_read(stand: Stand, count: int) -> None:
    home = [entity(n, name="old") for n in range(count)]
    stand.reconcile(snapshot(ENTRY, *home))
    changed = [entity(n, name="new") for n in range(count)]
    stand.reconcile(snapshot(ENTRY, *changed), NOON + 1)
    stored = stand.replica.read(record.key for record in changed)
    assert {key: row.fields["name"] for key, row in stored.items()} == {r.key: "new" for r in changed}
    stand.reconcile(snapshot(ENTRY), NOON + 2)
    assert stand.replica.read(record.key for record in changed) == {}
    stand.reconcile(snapshot(ENTRY, *home), NOON + 3)


def test_keys_that_do_not_exist_are_not_read(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    wanted = [entity(1).key, entity(2).key, Key("category", "helpers/x"), Key("device", "rowid:1")]
    assert set(stand.replica.read(wanted)) == {entity(1).key}
