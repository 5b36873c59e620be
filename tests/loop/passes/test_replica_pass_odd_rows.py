"""A pass over unusual input: rows of other programs, rows set aside, another store, and an unfinished pass.

And what a pass leaves for the next one to look at: what differs still, or everything where any record may differ.
"""

from collections.abc import Iterable, Set

import anyio
import msgspec

from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import ConfigEntry, Key, Label, Record
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions, Since
from engine.loop.passes.replica_pass import ReplicaPass
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot
from tests.loop.passes.test_replica_pass import Stand
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
    forgotten_at: float | None = None

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], at: float, *, place: str | None = None
    ) -> None:
        versions = list(versions)
        if versions and all(version is None for _, version in versions):
            self.forgotten_at = at
        super().record_applied(replica, versions, at, place=place)

    def place(self, replica: str) -> str | None:
        return self.place_of

    def note_place(self, replica: str, place: str) -> None:
        self.place_of = place


class Starved(MemoryReplica):
    """A store whose content does not fit into memory."""

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


def test_before_apply_a_pass_reports_its_plan_and_after_it_the_note() -> None:
    replica = NotingReplica()
    work = begin(snapshot(ENTRY, device(1)), replica, MemoryLedger())
    found, records = work.report()
    assert (found.replica, found.status, found.note) == (replica.name, "out_of_sync", None)
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


def test_ledger_entries_of_another_store_are_forgotten_and_the_new_one_is_filled() -> None:
    ledger = PlacedLedger()
    filled(MemoryReplica(), ledger, device(1), device(2), place="history:one.db")
    other = MemoryReplica()
    filled(other, MemoryLedger(), device(1))
    work = begin(snapshot(ENTRY, device(1)), other, ledger, place="history:two.db")
    assert work.comparison is not None
    assert work.comparison.plan.diff.differences == (), "device 2 was never lost in this store"
    work.apply()
    assert (ledger.place_of, ledger.forgotten_at) == ("history:two.db", NOON)
    assert device(2).key not in ledger.versions["memory"]


def test_only_a_pass_that_may_write_the_ledger_notes_the_place_of_the_store() -> None:
    ledger = PlacedLedger()
    other = snapshot(ConfigEntry(entry_id="other", domain="demo"))
    replica = MemoryReplica()
    filled(replica, MemoryLedger(), device(1))
    work = begin(other, replica, ledger, place="history:one.db")
    work.apply()
    assert ledger.place_of is None, "it is of another home"

    class Rows(MemoryReplica):
        keeps_ledger = True

    rows, places = Rows("rows"), {replica.name: "history:one.db"}
    options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), "run", "home", places=places)
    context = PassContext(
        options, snapshot(ENTRY), [rows, replica], ledger, clock=lambda: NOON, offload=inline
    )
    context.keep_error(ReplicaUnavailable("rows", "damaged"))
    work = ReplicaPass(replica, context)
    anyio.run(work.compare)
    work.apply()
    assert ledger.place_of is None, "the ledger is in the file that is damaged"


def test_without_memory_it_is_the_replica_that_is_named() -> None:
    work = begin(snapshot(ENTRY), Starved(), MemoryLedger())
    found, _ = work.report()
    assert found.status == "unknown"
    assert "for a pass over memory" in (found.error or "")


def test_rows_of_another_program_get_the_key_of_the_entity_with_their_entity_id() -> None:
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


def test_records_that_a_read_does_not_know_stay_as_in_the_replica() -> None:
    replica, ledger = MemoryReplica(), MemoryLedger()
    filled(replica, ledger, entity(1, device_class="power"))
    work = begin(odd_home(entity(1), partly=entity(1).key), replica, ledger)
    assert work.report()[1] == []


def test_records_that_a_set_aside_row_may_describe_are_kept_with_derived_values() -> None:
    replica, ledger = MemoryReplica(), MemoryLedger()
    filled(replica, ledger, device(1, name="Lamp"), entity(1, device_id=device(1).id))
    aside = SetAside("device", "name", "7", "its name is odd", device(1).id, None)
    work = begin(odd_home(entity(1, device_id=device(1).id), aside=aside), replica, ledger)
    found, records = work.report()
    assert records == [], "the entity has not lost its device's name"
    assert found.kept == (str(device(1).key),)
    assert found.status == "in_sync"
    assert found.counts.kept == 1


def test_an_entity_waits_for_the_entity_id_of_one_that_is_kept_for_a_row_set_aside() -> None:
    replica, ledger = MemoryReplica(), MemoryLedger()
    filled(replica, ledger, entity(1), entity(2), entity(3))
    aside = SetAside("entity", "name", "7", "its name is odd", entity(1).id, None)
    work = begin(odd_home(entity(2, entity_id="sensor.s1"), entity(3), aside=aside), replica, ledger)
    found, records = work.report()
    assert (found.kept, records) == ((str(entity(1).key), str(entity(2).key)), [])
    assert found.status == "out_of_sync"


NAMELESS = SetAside("device", "id", "7", "its id is a number", None, None)
CHANGED = device(1).key
HOME = snapshot(ENTRY, device(1), device(2), entity(1), at=NOON)


def next_looks_at(stand: Stand, desired: Snapshot) -> Set[Key] | None:
    """The records that a pass looks at after one record has changed; None for all there are."""
    options = PassOptions(Mode.OBSERVE, Policy(), frozenset(REGISTRIES), "run", "home", verify=False)
    context = PassContext(options, desired, [stand.replica], stand.ledger, clock=lambda: NOON, offload=inline)
    work = ReplicaPass(
        stand.replica,
        context,
        memory=stand.memories["memory"],
        since=Since(desired, frozenset({CHANGED})),
    )
    anyio.run(work.compare)
    return work.changed_keys


def left_by(desired: Snapshot, mode: str = "apply") -> Set[Key] | None:
    """What the pass after one over this home looks at, where the replica held HOME before."""
    stand = Stand(HOME, stores_derived=False)
    stand.one_pass(desired, mode)
    return next_looks_at(stand, desired)


def test_after_a_complete_pass_only_changes_are_compared() -> None:
    assert left_by(snapshot(ENTRY, device(1), device(2, name="Lamp"), entity(1))) == {CHANGED}


def test_observed_waiting_and_held_records_are_compared_again() -> None:
    renamed = snapshot(ENTRY, device(1), device(2, name="Lamp"), entity(1))
    smaller = [ENTRY, device(1), entity(1)]
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    assert left_by(renamed, "observe") == {CHANGED, device(2).key}
    assert left_by(snapshot(*smaller)) == {CHANGED, device(2).key}
    assert left_by(snapshot(*smaller, health=starting)) == {CHANGED, device(2).key}


def test_an_unidentified_odd_row_may_be_any_record_of_the_home() -> None:
    renamed = odd_home(device(1), device(2, name="Lamp"), entity(1), partly=entity(1).key)
    assert left_by(renamed) == {CHANGED}
    assert left_by(renamed, "observe") is None
    smaller = odd_home(device(1), entity(1), partly=entity(1).key)
    assert left_by(smaller) is None, "a delete waits"
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    assert left_by(smaller.read_as(health=starting)) is None, "a delete is held"


def test_all_records_are_compared_while_more_rows_are_kept_than_set_aside() -> None:
    assert left_by(odd_home(device(1), entity(1), aside=NAMELESS)) == {CHANGED}
    assert left_by(odd_home(entity(1), aside=NAMELESS)) is None


def test_a_record_that_a_set_aside_row_may_describe_is_not_missing() -> None:
    stand = Stand(HOME, stores_derived=False)
    without, odd = [device(2), entity(1)], odd_home(device(2), entity(1), aside=NAMELESS)
    stand.one_pass(odd, "apply")
    assert stand.ledger.missed == {}
    stand.one_pass(snapshot(ENTRY, *without), "apply")
    assert set(stand.ledger.missed) == {device(1).key}
    stand.one_pass(odd, "apply")
    assert stand.ledger.missed == {}, "it may have been there all the time"


def test_a_foreign_row_may_be_adopted_by_any_entity() -> None:
    stand = Stand(HOME, stores_derived=False)
    foreign = Label(label_id="theirs", name="Theirs")
    stand.replica.rows[foreign.key] = (foreign, None)
    stand.one_pass(HOME, "apply")
    assert next_looks_at(stand, HOME) is None


def test_without_the_ledger_every_record_is_compared_again() -> None:
    stand = Stand(HOME, stores_derived=False)
    stand.memories.clear()
    stand.ledger.fail_with = ReplicaUnavailable("ledger", "away")
    stand.one_pass(HOME, "observe")
    stand.ledger.fail_with = None
    assert next_looks_at(stand, HOME) is None
