"""Passes while the ledger cannot be read: the replicas are kept in sync, without any action that needs the ledger."""

import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.guard import Policy
from engine.core.guards.look import Look
from engine.core.home.derived import Derived
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import ConfigEntry, Record
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


HUB = device(1, area_id="attic")
CHILD = device(2, config_entry_id="second", parent_device_id=HUB.id)
SECOND = ConfigEntry(entry_id="second", domain="light")
LAMP, SWITCH = entity(1, device_id=HUB.id), entity(2, device_id=CHILD.id)
WHOLE = [ENTRY, SECOND, HUB, CHILD, LAMP, SWITCH]


def derived(home: Forgetful, *records: Record) -> list[Derived | None]:
    return [home.replica.rows[record.key][1] for record in records]


@pytest.mark.parametrize("lost", [(HUB,), (HUB, CHILD), (CHILD,), (SECOND,), (SECOND, HUB, CHILD)])
async def test_entities_keep_their_areas_while_ledger_and_devices_are_lost(lost: tuple[Record, ...]) -> None:
    home = Forgetful()
    await home.run(snapshot(*WHOLE), Policy())
    left = [record for record in WHOLE if record not in lost]
    before = derived(home, *left)
    home.ledger.versions.clear()
    writes = home.replica.writes
    report = await home.run(snapshot(*left), Policy())
    assert derived(home, *left) == before
    assert home.replica.writes == writes
    assert {(r.key, r.cause) for r in report.records} == {(r.key.id, "foreign") for r in lost}
    assert (await home.run(snapshot(*WHOLE), Policy())).status == "in_sync"
    assert derived(home, *left) == before


async def test_a_change_meanwhile_is_written_with_the_area_of_the_row_that_is_left() -> None:
    home = Forgetful()
    await home.run(snapshot(*WHOLE), Policy())
    home.ledger.versions.clear()
    await home.run(snapshot(ENTRY, SECOND, entity(1, device_id=HUB.id, name="New"), SWITCH), Policy())
    (found,) = derived(home, LAMP)
    assert found is not None
    assert (found.effective_area_id, home.replica.rows[LAMP.key][0]) == (
        "attic",
        entity(1, device_id=HUB.id, name="New"),
    )


async def test_a_device_that_was_removed_or_that_nothing_refers_to_gives_no_area() -> None:
    for home_now, removed in (
        ([ENTRY, SECOND, LAMP], [HUB.key, CHILD.key]),
        ([ENTRY, SECOND, entity(1)], []),
    ):
        home = Forgetful()
        await home.run(snapshot(*WHOLE), Policy())
        home.ledger.versions.clear()
        await home.run(snapshot(*home_now, removed=removed), Policy())
        (found,) = derived(home, LAMP)
        assert found is not None
        assert found.effective_area_id is None
