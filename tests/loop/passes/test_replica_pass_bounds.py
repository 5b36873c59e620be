"""What a pass over one replica rests on besides the two sides: the clock as it is set, the ledger, who wrote the rows before."""

from typing import Any

import anyio

from engine.core.compare.diff import Cause
from engine.core.guards.guard import Policy
from engine.core.guards.look import Calendar, Look
from engine.core.home.snapshot import Snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import Label
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode, Outcome
from engine.errors import ReplicaUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, snapshot
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


def test_when_a_record_was_missed_first_is_said_by_the_clock_as_it_is_set_now() -> None:
    home = snapshot(ENTRY, device(1), device(2), at=NOON)
    stand = Stand(home, stores_derived=True)
    key = device(1).key
    stand.ledger.missed[key] = Look(12.0, "boot", 100.0)  # in 1970, as the clock was set
    calendar = Calendar(shift=0.0, boot="boot", booted_at=NOON - 110.0)
    (record,) = one_pass(
        stand, snapshot(ENTRY, device(2), at=NOON), calendar, delete_confirm_seconds=3600
    ).records
    assert (record.outcome, record.since) == (Outcome.WAITING, NOON - 10)


def test_deletes_that_are_allowed_by_name_are_so_until_the_day_after_by_the_wall_clock() -> None:
    home = [ENTRY, *(device(n) for n in range(50))]
    stand = Stand(snapshot(*home, at=NOON), stores_derived=True)
    smaller = snapshot(*home[:-30], at=NOON)
    (refusal,) = one_pass(stand, smaller, delete_confirm_seconds=0).replicas[0].refusals
    assert refusal.name is not None
    allowed = {"delete_confirm_seconds": 0, "allow_deletes": (refusal.name,)}
    assert one_pass(stand, smaller, Calendar(shift=3 * DAY), **allowed).replicas[0].applied.delete == 0
    assert one_pass(stand, smaller, Calendar(shift=DAY), **allowed).replicas[0].applied.delete == 30


def test_without_a_ledger_what_the_replica_holds_says_what_is_known() -> None:
    label = Label(label_id="l", name="L")
    stand = Stand(snapshot(ENTRY, label, at=NOON), stores_derived=True)
    stand.ledger.fail_with = ReplicaUnavailable("ledger", "away")
    stand.memories.clear()
    read = snapshot(ENTRY, registries=set(REGISTRIES) - {"label"}, at=NOON)
    found = one_pass(stand, read.read_as(unread=Unread({"label": "label is missing"}, None)))
    (refusal,) = (each for each in found.replicas[0].refusals if each.guard == "registry_unread")
    assert "label is missing, of which 1 records are known" in refusal.message


class Starved(MemoryReplica):
    """A store for which the memory does not suffice while it is written."""

    def apply(self, *_args: Any) -> None:
        raise MemoryError


def test_a_write_for_which_the_memory_does_not_suffice_is_an_error_of_its_store() -> None:
    replica = Starved()
    (error,) = (
        Stand(snapshot(), stores_derived=True, replica=replica).one_pass(snapshot(ENTRY), "apply").errors
    )
    assert error.subject == "memory"
    assert error.message == "There is not enough memory for a pass over memory."


def test_what_an_earlier_owner_wrote_is_ours_besides_what_a_later_one_changed() -> None:
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
