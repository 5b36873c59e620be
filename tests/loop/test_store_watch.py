"""A store that another program wrote to is never in sync, whatever keeps the controller from comparing it."""

from collections.abc import Iterable

import anyio
import pytest

from engine.core.guards.absences import Absences
from engine.core.records.record import Key
from engine.core.state.status import ReplicaStatus, replica_status, why_not_ready
from engine.core.words import SyncStatus
from engine.errors import ReplicaUnavailable
from engine.loop.store_watch import StoreWatch
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import device, entity
from tests.loop.kept import HOME, ConcurrencyLimiter, Kept, keeping, later
from tests.loop.virtual_time import PACE, clock, inline

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class LockedLedger(MemoryLedger):
    """A ledger that can be read and not written, as while another program holds a lock on its file, or the disk is full."""

    locked = ""  # the call that fails

    def note_absences(self, absences: Absences, at: object) -> None:
        self._check("note_absences")
        super().note_absences(absences, at)  # type: ignore[arg-type]

    def record_applied(
        self, replica: str, versions: Iterable[tuple[Key, str | None]], at: float, *, place: str | None = None
    ) -> None:
        self._check("record_applied")
        super().record_applied(replica, versions, at, place=place)

    def _check(self, call: str) -> None:
        if call == self.locked:
            raise ReplicaUnavailable("books", "locked")


def says(kept: Kept) -> tuple[str, bool]:
    """The word and the readiness of the replica, as shown now."""
    status = kept.controller.current()
    ready = why_not_ready(status, status.report, clock(), PACE.freshness) is None
    return str(replica_status(status, clock(), PACE.freshness)[0]), ready


async def confirming(kept: Kept) -> None:
    while True:
        await anyio.sleep(10)
        kept.controller.confirm(clock())


@pytest.mark.parametrize("call", ["note_absences", "record_applied"])
async def test_an_edit_while_the_ledger_is_locked_is_noticed_and_repaired_before_the_retry(call: str) -> None:
    """Also if the ledger fails after the store was written, so that the next pass has to read all of it."""
    ledger = LockedLedger()
    async with keeping(ledger=ledger) as kept, anyio.create_task_group() as tasks:
        tasks.start_soon(confirming, kept)
        kept.controller.offer(HOME)
        await anyio.sleep(2)
        ledger.locked = call
        kept.controller.offer(later(HOME, device(1, name="New")))
        await anyio.sleep(200)
        assert says(kept) == ("in_sync", True)
        assert kept.controller.current().is_error_elsewhere
        passes = len(kept.reports)
        while len(kept.reports) == passes:  # noqa: ASYNC110 (virtual time)
            await anyio.sleep(1)
        await anyio.sleep(2)
        kept.replica.edit(entity(1).key, name="EDITED")
        for _ in range(20):
            await anyio.sleep(0.6)
            is_equal = kept.replica.rows[entity(1).key][0] == entity(1)
            assert (says(kept)[0] == "in_sync") <= is_equal
        assert is_equal
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("hanging", ["_compare", "_finish", "data_version", "tidy"])
async def test_an_edit_while_a_pass_or_a_look_hangs_is_not_in_sync(hanging: str) -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept, anyio.create_task_group() as tasks:
        tasks.start_soon(confirming, kept)
        kept.replica.left_behind = "as written"
        kept.controller.offer(HOME)
        await anyio.sleep(10)
        gate.closed.add(hanging)
        if hanging == "data_version":
            kept.replica.left_behind = "with another time"
        elif hanging == "tidy":
            kept.replica.untidy_passes = 1
            kept.controller.offer(later(HOME, device(1, name="New")))
        else:
            await anyio.sleep(PACE.verify_seconds)
        await anyio.sleep(1)
        assert says(kept) == ("in_sync", True)
        kept.replica.edit(entity(1).key, name="EDITED")
        kept.replica.left_behind = "edited"
        for _ in range(60):
            await anyio.sleep(3)
            assert says(kept) == ("unknown", False)
        gate.closed.clear()
        await anyio.sleep(3)
        assert says(kept) == ("in_sync", True)
        assert kept.replica.rows[entity(1).key][0] == entity(1)
        tasks.cancel_scope.cancel()


async def test_a_hanging_pass_over_files_that_nobody_wrote_to_changes_nothing() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept, anyio.create_task_group() as tasks:
        tasks.start_soon(confirming, kept)
        kept.replica.left_behind = "as written"
        kept.controller.offer(HOME)
        await anyio.sleep(10)
        gate.closed.add("_compare")
        await anyio.sleep(PACE.verify_seconds + 30)
        assert gate.entered[-1] == "_compare"
        assert says(kept) == ("in_sync", True)
        tasks.cancel_scope.cancel()


async def test_a_plan_that_takes_long_to_write_leaves_the_status_as_it_is() -> None:
    """The files that change then are changed by the engine."""
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.replica.left_behind = "as written"
        kept.controller.offer(HOME)
        await anyio.sleep(10)
        gate.closed.add("_finish")
        kept.controller.offer(later(HOME, *(device(n) for n in range(9))))
        await anyio.sleep(1)
        kept.replica.left_behind = "half written"
        await anyio.sleep(5)
        assert says(kept) == ("out_of_sync", True)


async def test_a_look_that_is_late_doubts_files_that_are_not_as_they_were() -> None:
    replica = MemoryReplica()
    now = [0.0]
    watch = StoreWatch(replica, inline, lambda: now[0], watch_seconds=0.5)
    replica.left_behind = "a"
    watch.note_look("a", replica.edits)
    now[0] = 100.0
    assert not watch.may_have_missed()
    replica.left_behind = "b"
    assert watch.may_have_missed()
    assert not await watch.is_changed()
    assert not watch.may_have_missed()
    replica.left_behind = None
    assert not watch.may_have_missed()
    now[0] += 2.5
    assert not watch.may_have_missed()
    now[0] += 0.1
    assert watch.may_have_missed()


async def test_a_store_that_is_no_file_has_no_signature_to_miss() -> None:
    replica = MemoryReplica()
    replica.needs_tidying = False
    watch = StoreWatch(replica, inline, lambda: 0.0, watch_seconds=-10)
    assert not watch.may_have_missed()


async def test_a_store_that_does_not_answer_counts_as_changed() -> None:
    class Away(MemoryReplica):
        def data_version(self) -> int | None:
            raise ReplicaUnavailable("memory", "away")

    watch = StoreWatch(Away(), inline, clock, 0.5)
    watch.note_look("a", 0)
    assert await watch.is_changed()
    watch.forget()
    assert not await watch.is_changed()


async def test_another_data_version_is_a_change_even_if_the_files_then_rest() -> None:
    replica = MemoryReplica()
    replica.left_behind = "a"
    watch = StoreWatch(replica, inline, clock, 0.5)
    watch.note_look("a", 0)
    replica.rows[Key("device", device(1).id)] = (device(1), None)
    replica.left_behind = "b"
    replica.edit(device(1).key, name="X")
    assert await watch.is_changed()
    assert await watch.is_changed()
    watch.note_look("b", 1)
    assert not await watch.is_changed()
    replica.left_behind = "c"
    assert not await watch.is_changed()


class Replaced(MemoryReplica):
    """Its file is replaced since the data version 1, if it is at all."""

    def is_overtaken(self, data_version: int | None) -> bool:
        return self.is_replaced and data_version in (None, 1)


async def test_what_is_shown_in_doubt_is_made_once_for_a_status() -> None:
    replica = Replaced()
    watch = StoreWatch(replica, inline, clock, 0.5)
    made: list[ReplicaStatus] = []

    def unknown() -> ReplicaStatus:
        made.append(ReplicaStatus("memory", SyncStatus.UNKNOWN))
        return made[-1]

    def shown(status: ReplicaStatus) -> ReplicaStatus:
        return watch.shown(status, unknown, ())

    first = ReplicaStatus("memory", SyncStatus.IN_SYNC)
    replica.is_replaced = True
    assert shown(first) is first, "nothing is known that could be in doubt"
    watch.note_look(None, 1)
    assert shown(first) is shown(first) is made[0]
    other = StoreWatch(replica, inline, clock, 0.5)
    other.note_look(None, 1)
    assert other.shown(first, lambda: made[0], ()) is made[0]
    second = ReplicaStatus("memory", SyncStatus.IN_SYNC)
    assert shown(second) is made[1]
    assert watch.shown(second, unknown, [device(1).key]) is made[1]
    replica.is_replaced = False
    assert shown(second) is second
    replica.is_replaced = True
    assert shown(second) is made[2]
