"""The inputs of a pass over one replica besides the two sides, and its writes to the store and the ledger.

The clock as it is set, the ledger, who wrote the rows before, which home they are of.
"""

from collections.abc import Mapping
from typing import Any

import anyio
import msgspec

from engine.core.compare.diff import IN_PROGRESS, Cause
from engine.core.guards.guard import Policy
from engine.core.guards.look import Calendar, Look
from engine.core.home.snapshot import Snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import Area, ConfigEntry, Key, Label
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import Freshness
from engine.core.state.report import Report
from engine.core.state.status import ReplicaStatus, why_not_ready
from engine.core.words import Mode, Outcome
from engine.errors import ReplicaUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions, Since
from engine.loop.passes.replica_pass import ReplicaPass
from engine.ports import Run
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.passes.test_replica_pass import ExclusiveReplica, Stand
from tests.loop.virtual_time import inline
from tests.loop.warm_passes import warm_pass

DAY = 86_400.0
PLAIN = Calendar()


def one_pass(stand: Stand, desired: Snapshot, calendar: Calendar = PLAIN, **policy: Any) -> Report:
    """A pass that writes, by the wall clock of this calendar."""
    options = PassOptions(Mode.APPLY, Policy(**policy), frozenset(REGISTRIES), "run", "home")
    context = PassContext(
        options,
        desired,
        [stand.replica],
        stand.ledger,
        clock=lambda: NOON,
        offload=inline,
        calendar=calendar,
    )
    return anyio.run(warm_pass, context, [stand.replica], stand.memories)


def test_a_waiting_delete_is_dated_by_the_current_clock() -> None:
    home = snapshot(ENTRY, device(1), device(2), at=NOON)
    stand = Stand(home, stores_derived=True)
    key = device(1).key
    stand.ledger.missed[key] = Look(12.0, "boot", 100.0)  # in 1970, as the clock was set
    calendar = Calendar(shift=0.0, boot="boot", booted_at=NOON - 110.0)
    (record,) = one_pass(
        stand, snapshot(ENTRY, device(2), at=NOON), calendar, delete_confirm_seconds=3600
    ).records
    assert (record.outcome, record.since) == (Outcome.WAITING, NOON - 10)


def test_deletes_allowed_by_name_stay_allowed_for_a_day_of_wall_clock_time() -> None:
    home = [ENTRY, *(device(n) for n in range(50))]
    stand = Stand(snapshot(*home, at=NOON), stores_derived=True)
    smaller = snapshot(*home[:-30], at=NOON)
    (refusal,) = one_pass(stand, smaller, delete_confirm_seconds=0).replicas[0].refusals
    assert refusal.name is not None
    allowed = {"delete_confirm_seconds": 0, "allow_deletes": (refusal.name,)}
    assert one_pass(stand, smaller, Calendar(shift=3 * DAY), **allowed).replicas[0].applied.delete == 0
    assert one_pass(stand, smaller, Calendar(shift=DAY), **allowed).replicas[0].applied.delete == 30


def test_without_a_ledger_the_records_in_the_replica_count_as_known() -> None:
    label = Label(label_id="l", name="L")
    stand = Stand(snapshot(ENTRY, label, at=NOON), stores_derived=True)
    stand.ledger.fail_with = ReplicaUnavailable("ledger", "away")
    stand.memories.clear()
    read = snapshot(ENTRY, registries=set(REGISTRIES) - {"label"}, at=NOON)
    found = one_pass(stand, read.read_as(unread=Unread({"label": "label is missing"}, None)))
    (refusal,) = (each for each in found.replicas[0].refusals if each.guard == "registry_unread")
    assert "label is missing, of which 1 record is known" in refusal.message


class Starved(MemoryReplica):
    """A store for which the memory does not suffice while it is written."""

    def apply(self, *_args: Any) -> None:
        raise MemoryError


def test_running_out_of_memory_in_a_write_is_an_error_of_its_store() -> None:
    replica = Starved()
    (error,) = (
        Stand(snapshot(), stores_derived=True, replica=replica).one_pass(snapshot(ENTRY), "apply").errors
    )
    assert error.subject == "memory"
    assert error.message == "There is not enough memory for a pass over memory."


def test_rows_of_an_earlier_owner_are_pending_even_if_changed_or_missing_in_the_ledger() -> None:
    replica, here = ExclusiveReplica(stores_derived=False), MemoryLedger()
    Stand(snapshot(ENTRY, device(1), device(2), at=NOON), stores_derived=False, replica=replica, ledger=here)
    here.versions[replica.name].pop(device(2).key)  # of this one nothing is known here any more
    replica.edit(device(1).key, name="Elsewhere")
    replica.is_inherited = True
    found = one_pass(
        Stand.again(replica, here), snapshot(ENTRY, device(1), at=NOON), delete_confirm_seconds=3600
    )
    causes = {record.key: (record.cause, record.outcome) for record in found.records}
    assert causes == {
        device(1).id: (Cause.PENDING, Outcome.APPLIED),
        device(2).id: (Cause.PENDING, Outcome.WAITING),
    }


def test_dependants_of_a_waiting_delete_wait_too_without_a_guard() -> None:
    others = [ENTRY, entity(2), *(device(n) for n in range(50))]
    stand = Stand(snapshot(*others, entity(1, device_id=device(1).id), at=NOON), stores_derived=True)
    found = one_pass(stand, snapshot(*others, at=NOON), delete_confirm_seconds=3600)
    assert {(r.registry, r.outcome) for r in found.records} == {("entity", "waiting"), ("device", "waiting")}
    assert (found.replicas[0].refusals, found.replicas[0].waiting) == ((), 1)
    assert next(r.since for r in found.records if r.registry == "device") is None, "not the time of asking"
    status = ReplicaStatus("memory", found.status, compared_at=NOON, pending=2)
    assert why_not_ready(status, found, NOON, Freshness(stale_seconds=60, unknown_seconds=60)) is None


def test_a_returned_record_is_ours_if_home_assistant_once_had_it() -> None:
    replica, ledger = MemoryReplica(stores_derived=False), MemoryLedger()
    stand = Stand(snapshot(ENTRY, device(1), at=NOON), stores_derived=False, replica=replica, ledger=ledger)
    replica.rows |= {record.key: (record, None) for record in (device(2), device(3))}
    replica.edits += 1
    ledger.versions["rows"] = {device(2).key: "1:x"}  # another replica's, to which nothing returned
    records = one_pass(stand, snapshot(ENTRY, device(1), at=NOON)).records
    assert {record.key: record.cause for record in records} == {
        device(2).id: Cause.PENDING,
        device(3).id: Cause.FOREIGN,
    }


def test_a_foreign_row_once_in_home_assistant_is_distinguished_from_others() -> None:
    class Rows(MemoryReplica):
        keeps_ledger = True

    stand = Stand(snapshot(ENTRY, at=NOON), stores_derived=True, replica=Rows())
    stand.replica.rows |= {record.key: (record, None) for record in (device(2), device(3))}
    stand.replica.edits += 1
    stand.ledger.versions["records"] = {device(2).key: "1:x"}
    known, strange = one_pass(stand, snapshot(ENTRY, at=NOON)).records
    assert (known.key, strange.key) == (device(2).id, device(3).id)
    assert known.why[0] != strange.why[0]


def foreign_is_pruned(*, has_ledger: bool) -> bool:
    stand = Stand(snapshot(ENTRY, at=NOON), stores_derived=True)
    stand.replica.rows[device(1).key] = (device(1), None)
    stand.memories.clear()
    if not has_ledger:
        stand.ledger.fail_with = ReplicaUnavailable("ledger", "away")
    one_pass(stand, snapshot(ENTRY, at=NOON), prune_foreign=True, delete_confirm_seconds=0)
    return device(1).key not in stand.replica.rows


def test_foreign_rows_are_pruned_only_if_our_own_rows_are_known() -> None:
    assert foreign_is_pruned(has_ledger=True)
    assert not foreign_is_pruned(has_ledger=False)


def test_an_entity_keeps_the_area_of_a_missing_device_of_which_the_ledger_knows_nothing() -> None:
    lamp = entity(1, device_id=device(1).id)
    for has_ledger in (True, False):
        stand = Stand(snapshot(ENTRY, device(1, area_id="attic"), lamp, at=NOON), stores_derived=True)
        stand.memories.clear()
        if has_ledger:
            del stand.ledger.versions["memory"][device(1).key]  # its row looks like a stranger's
        else:
            stand.ledger.fail_with = ReplicaUnavailable("ledger", "away")
        one_pass(stand, snapshot(ENTRY, lamp, at=NOON))
        derived = stand.replica.rows[lamp.key][1]
        assert derived is not None
        assert derived.effective_area_id == "attic"


def test_a_pass_over_another_home_changes_nothing_and_leaves_nothing() -> None:
    stand = Stand(snapshot(ENTRY, device(1), at=NOON), stores_derived=True)
    booked = {name: dict(versions) for name, versions in stand.ledger.versions.items()}
    other = snapshot(ConfigEntry(entry_id="other", domain="demo"), device(1, name="Other"), at=NOON)
    for is_warm in (True, False):
        if not is_warm:
            stand.memories.clear()
        (found,) = one_pass(stand, other).replicas
        assert [refusal.guard for refusal in found.refusals] == ["wrong_instance"]
        assert (stand.memories, stand.ledger.versions) == ({}, booked)


class Attentive(MemoryReplica):
    """A store that records the calls it receives."""

    keeps_order = True

    def __init__(self) -> None:
        super().__init__()
        self.received: list[tuple[str, Any, Run]] = []
        self.digests: list[bool] = []

    def upkeep(self, desired: Snapshot, run: Run) -> None:
        self.received.append(("upkeep", desired.home.records, run))

    def keep_order(self, positions: Mapping[Key, int], run: Run) -> None:
        self.received.append(("order", positions, run))

    def digest(self, *, seed: int | None = None, reread: bool = True) -> None:
        self.digests.append(reread)


def test_a_store_receives_the_run_of_the_pass_that_writes_it() -> None:
    area = Area(area_id="attic", name="Attic")
    home = snapshot(ENTRY, area, at=NOON - 5, positions={area.key: 0})
    replica = Attentive()
    Stand(home, stores_derived=True, replica=replica)
    run = replica.newest_run
    assert run is not None
    assert (run.run_id, run.at, run.origin, run.ha_version, run.read_at) == (
        "run",
        NOON,
        "test",
        "2026.11.0",
        NOON - 5,
    )
    assert (run.desired, run.snapshot) == (home.home.row_versions, home)
    assert run.order == {area.key: 0}, "it is written with the rows"
    assert replica.received == [("upkeep", home.home.records, msgspec.structs.replace(run, order=None))]


def test_a_pass_that_reads_all_rows_computes_the_digest_from_them() -> None:
    replica = Attentive()
    stand = Stand(snapshot(ENTRY, at=NOON), stores_derived=True, replica=replica)
    assert replica.digests == [False]
    stand.memories.clear()
    stand.one_pass(snapshot(ENTRY, at=NOON), "observe", Since(None, frozenset()))  # it does not verify
    assert (replica.observed, replica.digests) == (2, [False])


def test_rows_of_an_interrupted_first_write_are_marked_as_in_progress() -> None:
    class CutOff(MemoryReplica):
        def apply(self, *_args: Any) -> None:
            raise ReplicaUnavailable(self.name, "cut off")

    stand = Stand(snapshot(ENTRY, device(1), at=NOON), stores_derived=True, replica=CutOff())
    assert stand.ledger.versions == {"memory": {ENTRY.key: IN_PROGRESS, device(1).key: IN_PROGRESS}}


def test_a_ledger_that_cannot_be_written_holds_back_no_write() -> None:
    class Full(MemoryLedger):
        def record_applied(self, *_args: Any, **_options: Any) -> None:
            raise ReplicaUnavailable("ledger", "the disk is full")

    stand = Stand(snapshot(ENTRY, device(1), at=NOON), stores_derived=True, ledger=Full())
    assert stand.replica.rows.keys() == {ENTRY.key, device(1).key}


def test_of_a_store_that_cannot_be_read_nothing_is_known() -> None:
    stand = Stand(snapshot(ENTRY, at=NOON), stores_derived=True)
    stand.replica.edits += 1
    stand.replica.fail_with = ReplicaUnavailable("memory", "away")
    options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), "run", "home")
    home = snapshot(ENTRY, at=NOON)
    context = PassContext(options, home, [stand.replica], stand.ledger, clock=lambda: NOON, offload=inline)
    work = ReplicaPass(
        stand.replica, context, memory=stand.memories["memory"], since=Since(home, frozenset())
    )
    anyio.run(work.compare)
    assert (work.memory, work.remembered, work.changed_keys, work.planned_keys) == (None,) * 4
    assert (work.confirmed_by, work.waiting_keys, work.found_status) == (None, set(), "unknown")
