"""A published status is always consistent with the findings it is based on.

Every value that is ever published is looked at, while stores hang, fail and are written to by others.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import Hints
from engine.core.state.report import open_records
from engine.core.state.status import ReplicaStatus
from engine.errors import ReplicaUnavailable
from engine.loop.replica_controller import ReplicaController
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot
from tests.loop.kept import ConcurrencyLimiter, Kept, keeping, later
from tests.loop.running import running
from tests.loop.virtual_time import PACE, clock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

FULL = snapshot(ENTRY, *(device(n) for n in range(1, 31)), *(entity(n) for n in range(1, 31)), at=NOON)


class Watched(ReplicaController):
    """A controller that keeps every status it ever had."""

    published: tuple[ReplicaStatus, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "status":
            assert isinstance(value, ReplicaStatus)
            self.published = (*self.published, value)


def what_is_wrong(status: ReplicaStatus) -> str | None:
    """Where the word and its evidence do not belong together."""
    word, report = status.status, status.report
    if word == "unknown":
        return None
    if report is None:
        return f"{word} without a report"
    (found,) = report.replicas
    if found.status != word or report.status != word:
        return f"{word}, and the report says {found.status}"
    if (word == "blocked") != bool(found.refusals):
        return f"{word} with the guards {[r.guard for r in found.refusals]}"
    left = open_records(report)
    if word == "in_sync" and left:
        return f"in_sync, and {len(left)} records differ"
    if word in ("blocked", "out_of_sync") and not left and not report.errors:
        return f"{word}, and no record differs"
    return None


@asynccontextmanager
async def watched(
    monkeypatch: pytest.MonkeyPatch, mode: str = "apply"
) -> AsyncIterator[tuple[Kept, Watched]]:
    monkeypatch.setattr("tests.loop.kept.ReplicaController", Watched)
    async with keeping(mode, offload=ConcurrencyLimiter()) as kept:
        assert isinstance(kept.controller, Watched)
        yield kept, kept.controller
    assert [(s, wrong) for s in kept.controller.published if (wrong := what_is_wrong(s))] == []


def half(at: float) -> Snapshot:
    """What is left when more is missing than may be deleted; one device has another name."""
    renamed = msgspec.structs.replace(device(1), name="Renamed")
    return snapshot(ENTRY, renamed, *(device(n) for n in range(2, 31)), entity(30), at=at)


async def test_blocked_is_published_with_its_guards_and_records_while_the_store_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limiter = ConcurrencyLimiter()
    monkeypatch.setattr("tests.loop.kept.ReplicaController", Watched)
    async with keeping(offload=limiter) as kept:
        kept.controller.offer(FULL)
        await anyio.sleep(1)
        limiter.closed.add("_finish")
        kept.controller.offer(half(clock()))
        await anyio.sleep(5)
        status = kept.controller.status
        assert status.status == "blocked"
        assert status.report is not None
        assert {r.guard for r in status.report.replicas[0].refusals} == {"delete_ratio"}
        outcomes = {r.key: r.outcome for r in open_records(status.report)}
        assert outcomes[entity(1).id] == "held"
        assert outcomes[device(1).id] == "planned", "it is being written"
        assert status.report.replicas[0].applied.upsert == 0
        limiter.closed.clear()
        await anyio.sleep(1)
    assert isinstance(kept.controller, Watched)
    assert [wrong for s in kept.controller.published if (wrong := what_is_wrong(s))] == []


async def test_drift_and_foreign_rows_are_published_with_their_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watched(monkeypatch) as (kept, _):
        kept.controller.offer(FULL)
        await anyio.sleep(1)
        kept.replica.edit(device(1).key, name="Mocked")
        await anyio.sleep(PACE.watch_seconds + 1)
        kept.replica.rows[device(99).key] = (device(99), None)
        kept.replica.edits += 1
        await anyio.sleep(PACE.watch_seconds + 1)
        assert kept.controller.status.status == "out_of_sync"


async def test_a_delete_that_waits_and_a_guard_that_gives_way_come_with_their_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    async with watched(monkeypatch) as (kept, controller):
        kept.controller.offer(FULL)
        await anyio.sleep(1)
        fewer = [record for record in FULL.home.records.values() if record.key != entity(1).key]
        for health in (RUNNING, starting, RUNNING, RUNNING):
            kept.controller.offer(snapshot(*fewer, health=health, at=clock()))
            await anyio.sleep(40)
        assert kept.controller.status.status == "in_sync"
        words = [s.status for s in controller.published]
        assert {"in_sync", "out_of_sync", "blocked"} <= set(words)


@pytest.mark.parametrize("at", ["fail_with", "fail_apply_with"])
async def test_a_store_that_fails_is_published_with_its_error(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(monkeypatch) as (kept, _):
        kept.controller.offer(FULL)
        await anyio.sleep(1)
        setattr(kept.replica, at, ReplicaUnavailable("memory", "Away.", "Wait."))
        kept.controller.offer(half(clock()))
        await anyio.sleep(100)
        setattr(kept.replica, at, None)
        await anyio.sleep(100)
        assert kept.controller.status.status == "blocked"


@pytest.mark.parametrize("mode", ["apply", "observe"])
async def test_home_assistant_lost_and_found_again(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(monkeypatch, mode) as (kept, _):
        kept.controller.offer(FULL)
        await anyio.sleep(1)
        kept.controller.lose()
        await anyio.sleep(10)
        kept.controller.offer(half(clock()))
        await anyio.sleep(1)
        kept.controller.lose()
        kept.controller.offer(FULL)
        await anyio.sleep(100)


async def test_the_changes_of_a_published_read_are_pending() -> None:
    async with running() as it:

        async def closer_look(_hints: Hints, newest: Snapshot) -> Snapshot:
            it.home.mark_read()
            return later(newest, device(2))

        await anyio.sleep(10)
        it.home.refresh = closer_look  # type: ignore[assignment, method-assign]
        it.home.change(it.home.now, Hints(registries=frozenset({"device"})))
        await anyio.sleep(10)
        assert it.word() == "in_sync"
        assert it.seen_at_source == [("read", "unknown"), ("read", "out_of_sync")]
