"""Passes while the ledger cannot be read: the replicas are kept in sync, without any action that needs the ledger."""

import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.guard import Policy
from engine.core.guards.look import Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import ConfigEntry
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from tests.fakes.world import MemoryLedger, MemoryReplica, MemorySource
from tests.homes import ENTRY, NOON, device, entity, snapshot

HOME = [ENTRY, device(1), entity(1), entity(2)]
pytestmark = pytest.mark.anyio


class Forgetful:
    """A replica that was filled, and its ledger, which cannot be read any more."""

    def __init__(self) -> None:
        self.replica = MemoryReplica()
        self.ledger = MemoryLedger()

    async def run(self, desired: Snapshot, policy: Policy) -> Report:
        options = PassOptions(Mode.APPLY, policy, frozenset(REGISTRIES), "run", "home")
        source = MemorySource(desired)
        return await Reconciler(source, [self.replica], self.ledger, lambda: NOON, lambda *_: None).run(
            options
        )


async def forgetful() -> Forgetful:
    made = Forgetful()
    await made.run(snapshot(*HOME), Policy())
    made.ledger.fail_with = ReplicaUnavailable("rows", "locked")
    return made


async def test_another_home_is_still_known_as_another() -> None:
    home = await forgetful()
    before = dict(home.replica.rows)
    other = snapshot(ConfigEntry(entry_id="other", domain="demo"), device(9), entity(9))
    report = await home.run(other, Policy())
    assert home.replica.rows == before
    assert [refusal.guard for refusal in report.replicas[0].refusals] == ["wrong_instance"]


async def test_no_row_is_pruned() -> None:
    home = await forgetful()
    await home.run(snapshot(*HOME[:-1]), Policy(prune_foreign=True))
    assert entity(2).key in home.replica.rows


async def test_changes_are_written() -> None:
    home = await forgetful()
    report = await home.run(snapshot(*HOME[:-1], entity(2, name="New")), Policy())
    assert home.replica.rows[entity(2).key][0] == entity(2, name="New")
    assert report.errors


async def test_a_ledger_that_cannot_note_missing_records_is_reported() -> None:
    class Full(MemoryLedger):
        def note_absences(self, absences: Absences, at: Look) -> None:
            if absences.begun:
                raise ReplicaUnavailable("books", "the disk is full")

    home = Forgetful()
    home.ledger = Full()
    await home.run(snapshot(*HOME), Policy())
    for _ in range(2):
        report = await home.run(snapshot(*HOME[:-1]), Policy())
        assert [(e.subject, e.message) for e in report.errors] == [("books", "the disk is full")]
        assert report.status == "out_of_sync"


async def test_running_out_of_memory_while_noting_missing_records_is_reported() -> None:
    class Starved(MemoryLedger):
        def note_absences(self, absences: Absences, at: Look) -> None:
            raise MemoryError

    home = Forgetful()
    home.ledger = Starved()
    (error,) = (await home.run(snapshot(*HOME), Policy())).errors
    assert (error.subject, error.message) == (
        "memory",
        "There is not enough memory for a pass over memory.",
    )


async def test_nothing_is_derived_from_a_device_that_is_missing() -> None:
    lamp = entity(1, device_id=device(1).id)
    home = Forgetful()
    await home.run(snapshot(ENTRY, device(1, area_id="attic"), device(2), lamp, entity(2)), Policy())
    before = home.replica.rows[lamp.key]
    home.ledger.fail_with = ReplicaUnavailable("rows", "locked")
    report = await home.run(snapshot(ENTRY, device(2), lamp, entity(2)), Policy())
    assert home.replica.rows[lamp.key] == before
    assert report.status == "out_of_sync"
