"""One pass, judged by the replicas after it and by its report."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from engine.core.compare.plan import Action, Operation
from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.times import encode_document
from engine.core.words import Mode
from engine.errors import EngineError, PlanStale, ReplicaUnavailable, SourceRefused, SourceUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.ports import Replica, Run
from engine.replicas.rows.replica import open_rows
from tests.fakes.world import MemoryLedger, MemoryReplica, MemorySource
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot
from tests.loop.warm_passes import Memories, warm_pass
from tests.replicas.passes import sql

HOME: list[Record] = [ENTRY, device(1), device(2), entity(1, device_id=device(1).id), entity(2)]


class Home:
    """Two replicas and a ledger that live through several passes."""

    def __init__(self) -> None:
        self.rows = MemoryReplica("rows")
        self.records = MemoryReplica("records", stores_derived=False)
        self.ledger = MemoryLedger()
        self.slept: list[float] = []
        self.memories: Memories = {}

    async def run(self, *answers: Snapshot | EngineError, mode: str = "apply", **changes: object) -> Report:
        given = {
            "mode": mode,
            "policy": Policy(),
            "registries": frozenset(REGISTRIES),
            "run_id": "run",
            "site": "home",
            **changes,
        }
        options = PassOptions(**given)  # type: ignore[arg-type]  # tests give options by name
        replicas: list[Replica] = [self.rows, self.records]
        source = MemorySource(*answers)

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return await Reconciler(source, replicas, self.ledger, lambda: NOON, lambda *_: None, sleep).run(
            options
        )

    async def warm_pass(
        self, desired: Snapshot, *, verify: bool = False, prune_foreign: bool = False
    ) -> Report:
        """A pass as the service makes it, with what it remembers."""
        policy = Policy(prune_foreign=prune_foreign)
        options = PassOptions(Mode.APPLY, policy, frozenset(REGISTRIES), "run", "home", verify=verify)
        replicas: list[Replica] = [self.rows, self.records]
        context = PassContext(options, desired, replicas, self.ledger, clock=lambda: NOON)
        return await warm_pass(context, replicas, self.memories)

    def writes(self) -> tuple[int, int, int]:
        return self.rows.writes, self.records.writes, self.ledger.writes


@pytest.fixture
def home() -> Home:
    return Home()


async def test_the_first_pass_fills_both_replicas(home: Home) -> None:
    report = await home.run(snapshot(*HOME))
    assert {key: r for key, (r, _) in home.rows.rows.items()} == {r.key: r for r in HOME}
    assert set(home.records.rows) == set(home.rows.rows)
    assert report.status == "in_sync"
    assert [(r.replica, r.applied.upsert, r.counts.missing) for r in report.replicas] == [
        ("rows", 5, 5),
        ("records", 5, 5),
    ]
    assert {r.outcome for r in report.records} == {"applied"}


async def test_the_second_pass_writes_nothing(home: Home) -> None:
    await home.run(snapshot(*HOME))
    before = home.writes()
    report = await home.run(snapshot(*HOME))
    assert home.writes() == before
    assert (report.status, report.records) == ("in_sync", ())
    assert [r.counts.in_sync for r in report.replicas] == [5, 5]


@pytest.mark.parametrize("mode", ["dry_run", "observe", "drift"])
async def test_only_apply_writes(home: Home, mode: str) -> None:
    report = await home.run(snapshot(*HOME), mode=mode)
    assert home.writes() == (0, 0, 0)
    assert report.status == "out_of_sync"
    assert len(report.records) == 10


async def test_a_derived_change_is_written_to_rows_but_makes_no_new_record(home: Home) -> None:
    await home.run(snapshot(*HOME))
    moved = [ENTRY, device(1, area_id="attic"), *HOME[2:]]
    report = await home.run(snapshot(*moved))
    written = {(r.replica, r.key) for r in report.records}
    assert written == {("rows", device(1).id), ("rows", entity(1).id), ("records", device(1).id)}
    (inherited,) = (r for r in report.records if r.key == entity(1).id)
    assert [(f.name, f.replica, f.source) for f in inherited.fields] == [("effective_area_id", None, "attic")]


async def test_drift_is_healed_and_explained(home: Home) -> None:
    await home.run(snapshot(*HOME))
    home.rows.edit(device(2).key, name="Mocked")
    report = await home.run(snapshot(*HOME))
    (found,) = report.records
    assert (found.cause, found.kind, found.outcome) == ("drift", "stale", "applied")
    assert [(f.name, f.source, f.replica) for f in found.fields] == [("name", "Device 2", "Mocked")]
    assert "changed by someone else" in found.why[0]
    assert home.rows.rows[device(2).key][0] == device(2)


async def test_a_change_is_dated_by_its_writing_and_not_by_the_read_before(home: Home) -> None:
    await home.run(snapshot(*HOME, at=NOON - 600))
    assert home.rows.newest_run is not None
    assert (home.rows.newest_run.at, home.rows.newest_run.read_at) == (NOON, NOON - 600)


async def test_a_delete_needs_two_reads_apart(home: Home) -> None:
    await home.run(snapshot(*HOME))
    smaller = HOME[:-1]
    first = await home.run(snapshot(*smaller, at=NOON))
    assert [r.waiting for r in first.replicas] == [1, 1]
    assert entity(2).key in home.rows.rows
    too_soon = await home.run(snapshot(*smaller, at=NOON + 59))
    assert too_soon.status == "out_of_sync"
    assert entity(2).key in home.rows.rows
    last = await home.run(snapshot(*smaller, at=NOON + 60))
    assert entity(2).key not in home.rows.rows
    assert entity(2).key not in home.records.rows
    assert last.status == "in_sync"
    before = home.writes()
    await home.run(snapshot(*smaller, at=NOON + 61))
    assert home.writes() == before
    assert home.ledger.missed == {}


async def test_a_record_that_is_back_in_time_was_never_gone(home: Home) -> None:
    await home.run(snapshot(*HOME))
    await home.run(snapshot(*HOME[:-1], at=NOON))
    await home.run(snapshot(*HOME, at=NOON + 30))
    await home.run(snapshot(*HOME[:-1], at=NOON + 70))
    assert entity(2).key in home.rows.rows


async def test_confirm_deletes_reads_twice_in_one_run(home: Home) -> None:
    await home.run(snapshot(*HOME))
    smaller = HOME[:-1]
    report = await home.run(
        snapshot(*smaller, at=NOON), snapshot(*smaller, at=NOON + 60), confirm_deletes=True
    )
    assert home.slept == [60.0]
    assert entity(2).key not in home.rows.rows
    assert report.status == "in_sync"


async def test_confirm_deletes_keeps_records_that_returned_in_between(home: Home) -> None:
    await home.run(snapshot(*HOME))
    await home.run(snapshot(*HOME[:-1], at=NOON), snapshot(*HOME, at=NOON + 60), confirm_deletes=True)
    assert entity(2).key in home.rows.rows


async def test_recovery_mode_deletes_nothing_and_gives_the_reason(home: Home) -> None:
    await home.run(snapshot(*HOME))
    before = dict(home.rows.rows)
    recovery = msgspec.structs.replace(RUNNING, recovery_mode=True)
    report = await home.run(snapshot(ENTRY, device(77), health=recovery))
    assert home.rows.rows == before
    assert report.status == "blocked"
    assert [r.refusals[0].guard for r in report.replicas] == ["recovery_mode", "recovery_mode"]
    assert {r.outcome for r in report.records} == {"held"}


@pytest.mark.parametrize(
    "error", [SourceUnavailable("no answer"), SourceRefused("no entry", "fix the token")]
)
async def test_a_failed_read_is_unknown_and_never_in_sync(home: Home, error: EngineError) -> None:
    await home.run(snapshot(*HOME))
    before = home.writes()
    report = await home.run(error)
    assert (report.status, report.source.connected) == ("unknown", False)
    assert [r.status for r in report.replicas] == ["unknown", "unknown"]
    assert [(e.subject, e.hint, e.transient) for e in report.errors] == [
        ("source", error.hint, error.transient)
    ]
    assert home.writes() == before


async def test_one_replica_down_does_not_hold_back_the_other(home: Home) -> None:
    home.records.fail_with = ReplicaUnavailable("records", "gone")
    report = await home.run(snapshot(*HOME))
    assert len(home.rows.rows) == 5
    assert (report.status, report.partial) == ("unknown", True)
    assert [r.status for r in report.replicas] == ["in_sync", "unknown"]
    home.records.fail_with = None
    later = await home.run(snapshot(*HOME))
    assert len(home.records.rows) == 5
    assert (later.status, later.partial) == ("in_sync", False)


async def test_without_the_ledger_nothing_is_deleted(home: Home) -> None:
    await home.run(snapshot(*HOME))
    home.ledger.fail_with = ReplicaUnavailable("rows", "locked")
    report = await home.run(snapshot(ENTRY, device(9), entity(9)), policy=Policy(delete_confirm_seconds=0))
    assert set(home.records.rows) >= {r.key for r in HOME}
    assert report.status != "in_sync"
    assert report.errors


async def test_a_saved_plan_is_carried_out_only_while_it_is_true(home: Home) -> None:
    plan = await home.run(snapshot(*HOME), mode="dry_run")
    expected = {r.replica: r.fingerprint for r in plan.replicas}
    with pytest.raises(PlanStale):
        await home.run(snapshot(*HOME, entity(3)), expected=expected)
    assert home.writes() == (0, 0, 0)
    await home.run(snapshot(*HOME, at=NOON + 500), expected=expected)
    assert len(home.rows.rows) == 5


async def test_foreign_rows_stay_and_keep_the_replica_out_of_sync(home: Home) -> None:
    mock = device(66, name="Sun")
    home.rows.rows[mock.key] = (mock, None)
    report = await home.run(snapshot(*HOME))
    assert mock.key in home.rows.rows
    assert report.status == "out_of_sync"
    (found,) = (r for r in report.records if r.cause == "foreign")
    assert (found.name, found.action, found.outcome) == ("Sun", None, "reported")
    assert "no entity belongs to it" in found.why
    pruned = await home.run(snapshot(*HOME), policy=Policy(prune_foreign=True))
    assert mock.key not in home.rows.rows
    assert pruned.status == "in_sync"


async def test_only_some_registries(home: Home) -> None:
    await home.run(snapshot(*HOME), registries=frozenset({"device"}))
    assert {key.registry for key in home.rows.rows} == {"device"}
    report = await home.run(snapshot(ENTRY, device(1)), registries=frozenset({"entity"}))
    assert report.status == "in_sync"
    assert len(home.rows.rows) == 2


async def test_a_split_device_moves_and_the_ledger_follows(home: Home) -> None:
    await home.run(snapshot(*HOME))
    new = [ENTRY, device(3), device(2), entity(1, device_id=device(3).id), entity(2)]
    splits = {device(1).id: (device(3).id,)}
    report = await home.run(snapshot(*new, splits=splits))
    assert [r.action for r in report.records if r.registry == "device"] == [Action.MOVE, Action.MOVE]
    assert Key("device", device(1).id) not in home.ledger.versions["records"]
    before = home.writes()
    await home.run(snapshot(*new, splits=splits))
    assert home.writes() == before


async def test_reports_of_equal_worlds_are_equal(home: Home) -> None:
    one, two = [await home.run(snapshot(*HOME), mode="dry_run") for _ in range(2)]
    assert encode_document(one) == encode_document(two)


async def test_a_warm_pass_reads_no_replica_and_writes_the_changes(home: Home) -> None:
    await home.warm_pass(snapshot(*HOME))
    looked = home.rows.observed
    report = await home.warm_pass(snapshot(*HOME[:-1], entity(2, name="New")))
    assert home.rows.observed == looked
    assert [(r.replica, r.key) for r in report.records] == [("rows", entity(2).id), ("records", entity(2).id)]
    assert (await home.warm_pass(snapshot(*HOME[:-1], entity(2, name="New")))).records == ()


async def test_a_warm_pass_compares_again_after_a_write_by_another_program(home: Home) -> None:
    await home.warm_pass(snapshot(*HOME))
    home.rows.edit(device(2).key, name="Mocked")
    (found,) = (await home.warm_pass(snapshot(*HOME))).records
    assert (found.cause, found.outcome) == ("drift", "applied")
    assert home.rows.rows[device(2).key][0] == device(2)


async def test_a_verifying_pass_trusts_no_memory(home: Home) -> None:
    await home.warm_pass(snapshot(*HOME))
    del home.records.rows[device(2).key]  # unnoticed: no data version moved
    assert (await home.warm_pass(snapshot(*HOME))).records == ()
    (found,) = (await home.warm_pass(snapshot(*HOME), verify=True)).records
    assert (found.replica, found.cause) == ("records", "drift")


async def test_a_write_with_unknown_outcome_is_compared_again(home: Home) -> None:
    await home.warm_pass(snapshot(*HOME))
    home.records.fail_apply_with = ReplicaUnavailable("records", "cut off")
    failed = await home.warm_pass(snapshot(*HOME, entity(3)))
    assert failed.status == "out_of_sync"
    home.records.fail_apply_with = None
    looked = home.records.observed
    assert (await home.warm_pass(snapshot(*HOME, entity(3)))).status == "in_sync"
    assert home.records.observed == looked + 1
    assert entity(3).key in home.records.rows


async def test_a_confirmed_absence_is_not_forgotten_while_one_replica_still_holds_the_record(
    home: Home,
) -> None:
    await home.run(snapshot(*HOME))
    smaller = HOME[:-1]
    await home.run(snapshot(*smaller, at=NOON))
    home.records.fail_with = ReplicaUnavailable("records", "away")
    await home.run(snapshot(*smaller, at=NOON + 60))
    assert entity(2).key not in home.rows.rows
    home.records.fail_with = None
    await home.run(snapshot(*smaller, at=NOON + 61))
    assert entity(2).key not in home.records.rows
    await home.run(snapshot(*smaller, at=NOON + 62))
    assert home.ledger.missed == {}


async def test_a_write_that_was_cut_off_is_ours_in_every_case(home: Home) -> None:
    await home.warm_pass(snapshot(*HOME))

    class KilledError(BaseException):
        """As by kill -9: the store has it, and nothing of ours runs after that."""

    class Dying(MemoryReplica):
        def apply(self, operations: Sequence[Operation], run: Run) -> None:
            super().apply(operations, run)
            raise KilledError

    alive = home.records
    home.records = Dying("records", stores_derived=False)
    home.records.rows = alive.rows
    with pytest.raises(KilledError):
        await home.run(snapshot(*HOME[:-1], entity(2, name="New"), entity(3)))
    # Home Assistant is as it was before, so the new entity was never in any other place than this replica.
    home.records, home.memories = alive, {}
    report = await home.run(snapshot(*HOME), policy=Policy(delete_confirm_seconds=0))
    assert report.status == "in_sync"
    assert {(r.key, r.cause) for r in report.records if r.replica == "records"} == {
        (entity(2).id, "pending"),
        (entity(3).id, "pending"),
    }
    assert entity(3).key not in home.records.rows


async def test_a_record_whose_tombstone_was_lost_is_deleted_again_with_evidence(home: Home) -> None:
    class Ledger(MemoryLedger):
        def known_ids(self, keys: Iterable[Key]) -> frozenset[Key]:
            return frozenset({entity(2).key}) & frozenset(keys)

    home.ledger = Ledger()
    await home.run(snapshot(*HOME))
    smaller = HOME[:-1]
    gone = home.records.rows[entity(2).key]
    await home.run(snapshot(*smaller))
    await home.run(snapshot(*smaller, at=NOON + 60))
    assert entity(2).key not in home.records.rows
    # An InfluxDB that crashed has lost the tombstone; an unknown record is beside it.
    home.records.rows |= {entity(2).key: gone, entity(9).key: gone}
    for replica in (home.rows, home.records):
        replica.edits += 1
    seen = await home.run(snapshot(*smaller, at=NOON + 120))
    assert {(r.key, r.outcome) for r in seen.records} == {
        (entity(2).id, "waiting"),
        (entity(9).id, "reported"),
    }
    await home.run(snapshot(*smaller, at=NOON + 180))
    assert entity(2).key not in home.records.rows
    assert entity(9).key in home.records.rows


async def test_a_row_rewritten_by_another_program_is_foreign_in_a_shared_file(
    tmp_path: Path,
) -> None:
    rows = open_rows(tmp_path / "rows.db")
    options = PassOptions(Mode.APPLY, Policy(delete_confirm_seconds=0), frozenset(REGISTRIES), "run", "home")

    async def run(*records: Record) -> Report:
        source = MemorySource(snapshot(*records))
        return await Reconciler(source, [rows], rows, lambda: NOON, lambda *_: None).run(options)

    await run(*HOME)
    sql(rows.path, "CREATE TABLE kept AS SELECT * FROM entities")
    await run(*HOME[:-1])
    sql(rows.path, "INSERT INTO entities SELECT * FROM kept WHERE id = ?", entity(2).id)
    for _ in range(2):
        (found,) = (await run(*HOME[:-1])).records
        assert (found.cause, found.outcome) == ("foreign", "reported")
        assert found.why[0] == "Home Assistant had it once; the engine did not write it since"
    rows.close()
