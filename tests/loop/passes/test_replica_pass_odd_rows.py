"""A pass over what is not plain: rows of other programs, rows set aside, another store, and a pass that is not over yet."""

import anyio

from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import Key, Record
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.core.words import Mode
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions
from engine.loop.passes.replica_pass import ReplicaPass
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot
from tests.loop.virtual_time import inline


class NotingReplica(MemoryReplica):
    """A store that has one note, once."""

    note: str | None = "the outbox is full"

    def take_note(self) -> str | None:
        note, self.note = self.note, None
        return note


class PlacedLedger(MemoryLedger):
    """A ledger that knows which store its entries are about."""

    place_of: str | None = None

    def place(self, replica: str) -> str | None:
        return self.place_of

    def note_place(self, replica: str, place: str) -> None:
        self.place_of = place


class Starved(MemoryReplica):
    """A store of which nothing fits into memory."""

    def data_version(self) -> int | None:
        raise MemoryError


def begin(
    desired: Snapshot,
    replica: MemoryReplica,
    ledger: MemoryLedger,
    *,
    mode: Mode = Mode.APPLY,
    place: str | None = None,
) -> ReplicaPass:
    """A pass that has compared."""
    places = {} if place is None else {replica.name: place}
    options = PassOptions(mode, Policy(), frozenset(REGISTRIES), "run", "home", places=places)
    context = PassContext(options, desired, [replica], ledger, clock=lambda: NOON, offload=inline)
    work = ReplicaPass(replica, context)
    anyio.run(work.compare)
    return work


def filled(replica: MemoryReplica, ledger: MemoryLedger, *records: Record, place: str | None = None) -> None:
    begin(snapshot(ENTRY, *records), replica, ledger, place=place).apply()


def test_before_it_is_applied_a_pass_reports_what_it_plans_and_leaves_the_note_to_its_end() -> None:
    replica = NotingReplica()
    work = begin(snapshot(ENTRY, device(1)), replica, MemoryLedger())
    found, records = work.report()
    assert (found.status, found.note) == ("out_of_sync", None)
    assert {record.outcome for record in records} == {"planned"}
    work.apply()
    found, records = work.report()
    assert (found.status, found.note) == ("in_sync", "the outbox is full")
    assert {record.outcome for record in records} == {"applied"}


def test_a_pass_that_only_observes_is_over_when_it_has_compared() -> None:
    for mode, outcome in ((Mode.OBSERVE, "observed"), (Mode.DRY_RUN, "planned")):
        found, records = begin(snapshot(ENTRY), NotingReplica(), MemoryLedger(), mode=mode).report()
        assert found.note == "the outbox is full"
        assert {record.outcome for record in records} == {outcome}


def test_what_was_booked_of_another_store_is_forgotten_and_the_new_one_is_filled() -> None:
    ledger = PlacedLedger()
    filled(MemoryReplica(), ledger, device(1), device(2), place="history:one.db")
    other = MemoryReplica()
    filled(other, MemoryLedger(), device(1))
    work = begin(snapshot(ENTRY, device(1)), other, ledger, place="history:two.db")
    assert work.comparison is not None
    assert work.comparison.plan.diff.differences == (), "device 2 was never lost in this store"
    work.apply()
    assert ledger.place_of == "history:two.db"
    assert device(2).key not in ledger.versions["memory"]


def test_without_memory_it_is_the_replica_that_is_named() -> None:
    work = begin(snapshot(ENTRY), Starved(), MemoryLedger())
    found, _ = work.report()
    assert found.status == "unknown"
    assert "for a pass over memory" in (found.error or "")


def test_rows_of_another_program_are_given_the_key_of_the_entity_that_has_their_entity_id() -> None:
    replica = MemoryReplica()
    stranger = Key("entity", entity(1).entity_id)
    replica.rows[stranger] = (entity(1), None)
    work = begin(snapshot(ENTRY, entity(1)), replica, MemoryLedger())
    _, records = work.report()
    assert {(record.key, record.kind) for record in records if record.registry == "entity"} == {
        (entity(1).id, "stale")
    }


def odd_home(*records: Record, aside: SetAside | None = None, partly: Key | None = None) -> Snapshot:
    return make_snapshot(
        records=[ENTRY, *records],
        taken_at=NOON,
        origin="test",
        registries=frozenset(REGISTRIES),
        health=RUNNING,
        set_aside=[aside] if aside else (),
        partly_read={partly: frozenset({"device_class"})} if partly else {},
    )


def test_what_a_read_does_not_know_stays_as_the_replica_has_it() -> None:
    replica, ledger = MemoryReplica(), MemoryLedger()
    filled(replica, ledger, entity(1, device_class="power"))
    work = begin(odd_home(entity(1), partly=entity(1).key), replica, ledger)
    assert work.report()[1] == []


def test_what_a_row_set_aside_may_be_is_kept_and_so_is_what_is_derived_from_it() -> None:
    replica, ledger = MemoryReplica(), MemoryLedger()
    filled(replica, ledger, device(1, name="Lamp"), entity(1, device_id=device(1).id))
    aside = SetAside("device", "name", "7", "its name is odd", device(1).id, None)
    work = begin(odd_home(entity(1, device_id=device(1).id), aside=aside), replica, ledger)
    found, records = work.report()
    assert records == [], "the entity has not lost its device's name"
    assert found.kept == (str(device(1).key),)
    assert found.status == "in_sync"
