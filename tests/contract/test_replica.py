"""What every replica keeps, whatever it stands on: one suite over the rows file and the history file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from engine.core.diff import Cause
from engine.core.plan import Action
from engine.core.record import Area, Entity, Key, canonical_fields
from engine.core.snapshot import Snapshot
from engine.errors import ReplicaRejected
from engine.ports import Ledger, Replica
from engine.replicas.history import open_history
from engine.replicas.sqlite import open_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import captured_records, one_pass, plan_of, run_of, sql, versions


class Stand(msgspec.Struct):
    """A replica under test, the ledger that goes with it, and how to disturb its file."""

    replica: Replica
    ledger: Ledger
    path: Path
    alter: str  # a statement that changes what entity e1 is called
    make_newer: str
    reopen: Callable[[], Replica]

    def reconcile(self, desired: Snapshot, at: float = NOON) -> None:
        one_pass(self.replica, self.ledger, desired, at=at)
        assert self.replica.observe().versions == versions(self.replica, desired)


@pytest.fixture(params=["sqlite", "history"])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    rows = open_rows(tmp_path / "rows.db", busy_timeout_seconds=0)
    if request.param == "sqlite":
        made = Stand(
            rows,
            rows,
            tmp_path / "rows.db",
            f"UPDATE entities SET name = 'altered' WHERE id = '{entity(1).id}'",
            "UPDATE reconcile_meta SET value = 99 WHERE name = 'schema_version'",
            lambda: open_rows(tmp_path / "rows.db", busy_timeout_seconds=0),
        )
    else:
        made = Stand(
            open_history(tmp_path / "history.db", busy_timeout_seconds=0),
            rows,
            tmp_path / "history.db",
            f"UPDATE records SET payload = json_set(payload, '$.name', 'altered') WHERE id = '{entity(1).id}'",
            "UPDATE meta SET value = 99 WHERE name = 'schema_version'",
            lambda: open_history(tmp_path / "history.db", busy_timeout_seconds=0),
        )
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
    assert not stand.path.exists()


def test_what_was_applied_is_observed_also_after_opening_again(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    stand.replica.close()
    again = stand.reopen()
    assert again.observe().versions == versions(again, snapshot(*HOME))
    again.close()
    again.close()


def test_a_second_pass_plans_and_writes_nothing(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    stand.replica.close()
    before = stand.path.read_bytes()
    assert one_pass(stand.replica, stand.ledger, snapshot(*HOME)).operations == ()
    stand.replica.close()
    assert stand.path.read_bytes() == before


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


def test_entities_swap_and_shift_their_names(stand: Stand) -> None:
    names = ["sensor.a", "sensor.b", "sensor.c", "sensor.d"]
    stand.reconcile(snapshot(*(entity(n, entity_id=name) for n, name in enumerate(names))))
    swapped = ["sensor.b", "sensor.a", "sensor.d", "sensor.e"]
    plan = plan_of(
        stand.replica, stand.ledger, snapshot(*(entity(n, entity_id=x) for n, x in enumerate(swapped)))
    )
    assert {o.action for o in plan.operations} == {Action.MOVE}
    stand.reconcile(snapshot(*(entity(n, entity_id=name) for n, name in enumerate(swapped))))


def test_a_new_entity_takes_the_name_of_a_deleted_one(stand: Stand) -> None:
    stand.reconcile(snapshot(entity(1, entity_id="sensor.x")))
    stand.reconcile(snapshot(entity(2, entity_id="sensor.x")))


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
    sql(stand.path, stand.alter)
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
    sql(stand.path, stand.make_newer)
    for attempt in (stand.replica.observe, lambda: stand.replica.read([entity(1).key])):
        with pytest.raises(ReplicaRejected, match=r"99.*knows 1.*[Uu]pdate this program"):
            attempt()
    with pytest.raises(ReplicaRejected, match="99"):
        stand.replica.apply([operation], run_of(stand.replica, snapshot(*HOME)))


@pytest.mark.parametrize("version", ["2024.3.3", "2026.11.0"])
def test_every_record_of_a_real_home_reads_back_as_it_is(stand: Stand, version: str) -> None:
    records = captured_records(version)
    assert len(records) > 50
    stand.reconcile(snapshot(*records))
    stored = stand.replica.read(record.key for record in records)
    assert {key: row.fields for key, row in stored.items()} == {r.key: canonical_fields(r) for r in records}


def test_keys_that_do_not_exist_are_not_read(stand: Stand) -> None:
    stand.reconcile(snapshot(*HOME))
    wanted = [entity(1).key, entity(2).key, Key("category", "helpers/x"), Key("device", "rowid:1")]
    assert set(stand.replica.read(wanted)) == {entity(1).key}
