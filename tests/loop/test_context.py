"""Shared state of the replicas in one pass: one read of Home Assistant, a ledger that may fail, and the errors."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.guard import Policy
from engine.core.guards.look import Calendar, Look
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions
from engine.ports import Run
from engine.process.offload import MORE_MEMORY
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, RUNNING, device, snapshot
from tests.loop.virtual_time import inline

SHIFT, BOOTED_AT = 3_600.0, NOON - 50
CALENDAR = Calendar(shift=SHIFT, boot="first", booted_at=BOOTED_AT)
LOCKED = ReplicaUnavailable("rows", "locked")
KEY = device(1).key


class KeepsLedger(MemoryReplica):
    keeps_ledger = True


class Ledger(MemoryLedger):
    """Counts how often its absences are read, and may fail at each question."""

    asked = 0

    def absences(self) -> dict[Key, Look]:
        self.asked += 1
        return super().absences()

    def known_ids(self, keys: Iterable[Key]) -> frozenset[Key]:
        self._fail()
        return frozenset(keys)


@dataclass
class Stand:
    """A context, and what it was made with."""

    ledger: Ledger = field(default_factory=Ledger)
    now: float = NOON + 10

    def context(
        self, desired: Snapshot | None = None, policy: Policy | None = None, **more: Any
    ) -> PassContext:
        options = PassOptions(Mode.APPLY, policy or Policy(), frozenset(REGISTRIES), "run", "home")
        desired = desired or snapshot(ENTRY, device(1), at=NOON)
        replicas = [KeepsLedger("rows"), MemoryReplica("records")]
        given = {"clock": lambda: self.now, "calendar": CALENDAR, "offload": inline, **more}
        return PassContext(options, desired, replicas, self.ledger, **given)


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_its_times_follow_the_current_wall_clock(stand: Stand) -> None:
    context = stand.context()
    assert (context.read_at, context.wall_now) == (NOON + SHIFT, NOON + 10 + SHIFT)
    assert context.look == Look(NOON + SHIFT, "first", 50.0)
    wanted = {KEY: "1:x"}
    run = context.run(wanted)
    assert run == Run(
        "run",
        NOON + 10 + SHIFT,
        "test",
        RUNNING.ha_version,
        wanted,
        NOON + SHIFT,
        context.desired,
    )


def test_unread_registries_count_as_empty_only_if_the_settings_allow_it(stand: Stand) -> None:
    unread = make_snapshot(
        records=[ENTRY],
        taken_at=NOON,
        origin="test",
        registries=frozenset(REGISTRIES) - {"label"},
        health=RUNNING,
        unread=Unread(registries={"label": "no file"}),
    )
    assert stand.context(unread).desired is unread
    assert "label" in stand.context(unread, Policy(allow_empty=True)).desired.reading.registries


def test_a_phase_is_measured_to_the_microsecond(stand: Stand) -> None:
    context = stand.context()
    with context.phase("compare"):
        stand.now += 2.0000006
    with context.phase("apply"):
        stand.now += 1
    assert context.phase_seconds == {"compare": 2.000001, "apply": 1.0}


def test_the_longest_wait_requested_by_a_store_counts(stand: Stand) -> None:
    context = stand.context()
    assert context.retry_after_seconds == 0.0
    for name, seconds in (("rows", 3.0), ("records", 7.0), ("third", None)):
        error = ReplicaUnavailable(name, "wait")
        error.retry_after_seconds = seconds
        context.note_error(error)
    assert context.retry_after_seconds == 7.0


def test_the_first_error_of_a_store_is_reported_unless_another_takes_precedence(stand: Stand) -> None:
    context = stand.context()
    first, second = ReplicaUnavailable("rows", "first"), ReplicaUnavailable("rows", "second")
    for error in (first, second):
        context.note_error(error)
    assert context.errors == {"rows": first}
    try:
        raise second from first
    except ReplicaUnavailable as error:
        context.keep_error(error)
    assert context.errors == {"rows": second}
    assert (second.__traceback__, second.__cause__, second.__context__) == (None, None, None)


async def test_running_out_of_memory_is_an_error_of_the_current_replica(stand: Stand) -> None:
    def starve() -> None:
        raise MemoryError

    def fail() -> None:
        raise RuntimeError("something else")

    context = stand.context()
    with pytest.raises(ReplicaUnavailable) as caught:
        await context.work_on("records", starve)
    error = caught.value
    assert (error.replica, error.hint) == ("records", MORE_MEMORY)
    assert error.message == "There is not enough memory for a pass over records."
    with pytest.raises(RuntimeError, match="something else"):
        await context.work_on("records", fail)
    assert await context.work_on("records", lambda: 7) == 7


def test_absences_are_read_once_and_those_of_this_pass_are_added(stand: Stand) -> None:
    first, earlier = Look(NOON), Look(NOON - 60)
    stand.ledger.missed = {KEY: earlier}
    context = stand.context(first_missed={KEY: first, ENTRY.key: first})
    assert context.absences() == {KEY: earlier, ENTRY.key: first}, "what the ledger says is older"
    assert context.absences() == {KEY: earlier, ENTRY.key: first}
    assert stand.ledger.asked == 1
    assert stand.context().absences() == {KEY: earlier}


def test_a_ledger_that_fails_is_reported_and_knows_nothing(stand: Stand) -> None:
    stand.ledger.versions["records"] = {KEY: "1:x"}
    context = stand.context()
    assert (context.applied("records"), context.known_ids([KEY])) == ({KEY: "1:x"}, frozenset({KEY}))
    stand.ledger.fail_with = LOCKED
    for ask in (lambda c: c.absences() == {}, lambda c: c.applied("records") is None, known_nothing):
        failing = stand.context()
        assert ask(failing)
        assert failing.errors == {"rows": LOCKED}
        assert not failing.is_ledger_writable
    assert context.known_ids([]) == frozenset(), "nothing is asked"
    assert context.errors == {}


def known_nothing(context: PassContext) -> bool:
    keys: Collection[Key] = [KEY]
    return context.known_ids(keys) == frozenset()


def test_the_ledger_is_written_unless_the_store_that_it_is_part_of_failed(stand: Stand) -> None:
    noted: list[Any] = []

    class Noting(Ledger):
        def record_applied(self, *given: Any, **named: Any) -> None:
            noted.append((*given, named))

        def note_absences(self, *given: Any) -> None:
            noted.append(given)

    stand.ledger = Noting()
    context, found = stand.context(), Absences(begun=frozenset({KEY}))
    context.note_error(ReplicaUnavailable("records", "away"))
    assert context.is_ledger_writable
    context.record_applied("records", [(KEY, "1:x")], "here")
    context.record_applied("records", [(KEY, None)])
    context.note_absences(found)
    assert noted == [
        ("records", [(KEY, "1:x")], NOON + SHIFT, {"place": "here"}),
        ("records", [(KEY, None)], NOON + SHIFT, {"place": None}),
        (found, context.look),
    ]
    context.note_error(LOCKED)
    context.record_applied("records", [(KEY, "1:x")])
    context.note_absences(found)
    assert len(noted) == 3
