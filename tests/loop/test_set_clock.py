"""Passes apart from each other while the machine's wall clock is wrong, is set, or the machine is started again."""

from contextlib import closing
from pathlib import Path

import anyio
import pytest

from engine.commandline.text.plan import PlanText, render_plan
from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import REGISTRIES
from engine.core.state.hints import Hints
from engine.core.state.report import RecordReport
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.ports import Progress, Source
from engine.process.clock import ProcessClock
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from tests.fakes.world import MemorySource
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.running import SetClock, running
from tests.replicas.passes import sql

pytestmark = pytest.mark.anyio
EPOCH = 5.0
DAY = 86_400.0
HOME = [ENTRY, device(1), entity(1), entity(2)]


class Cron:
    """A program that is run now and then, each time as a new process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rows.db"
        self.running, self.boot = 1000.0, "first"
        self.records: tuple[RecordReport, ...] = ()  # that differed in the last pass

    async def run(self, wall: float, *, later: float = 0.0, gone: bool = True) -> bool:
        """One pass `later` than the one before; returns whether the record that may be `gone` is still held."""
        self.running += later
        clock = ProcessClock(lambda: wall, lambda: 0.0, self.boot, self.running)
        home = HOME[:-1] if gone else HOME

        class Now(Source):
            origin = "now"

            async def read(self, progress: Progress) -> Snapshot:
                return snapshot(*home, at=clock())

        options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), "run", "home")
        with closing(open_rows(self.path)) as rows:
            reconciler = Reconciler(Now(), [rows], rows, clock, lambda *_: None, calendar=clock.calendar)
            report = await reconciler.run(options)
            assert not report.errors
            self.records = report.records
            return entity(2).key in rows.observe().versions

    def restart(self) -> None:
        self.running, self.boot = 5.0, f"after {self.boot}"


@pytest.fixture
async def cron(tmp_path: Path) -> Cron:
    made = Cron(tmp_path)
    assert await made.run(NOON, gone=False)
    return made


async def test_a_clock_that_went_from_1970_to_now_confirms_nothing(cron: Cron) -> None:
    assert await cron.run(EPOCH, later=1)
    assert await cron.run(NOON + 30, later=1)
    assert not await cron.run(NOON + 95, later=60)


@pytest.mark.parametrize("wall", [NOON + DAY, NOON - DAY, EPOCH])
async def test_setting_the_clock_between_two_reads_does_not_confirm_or_delay_deletes(
    cron: Cron, wall: float
) -> None:
    assert await cron.run(NOON, later=1)
    assert await cron.run(wall, later=30)
    assert not await cron.run(wall, later=30)


@pytest.mark.parametrize("wrong", [EPOCH, NOON + 90 * DAY, NOON - DAY])
async def test_an_absence_noted_under_a_wrong_clock_is_dated_by_the_corrected_one(
    cron: Cron, wrong: float
) -> None:
    assert await cron.run(wrong, later=1)
    assert await cron.run(NOON + 30, later=30)
    (waiting,) = (r for r in cron.records if r.action == "delete")
    assert waiting.since == pytest.approx(NOON, abs=0.01)
    assert waiting.why == ("missing from every read since 2026-11-23T12:00:00.000Z",)


async def test_an_absence_noted_under_a_wrong_clock_before_a_reboot_has_no_time(cron: Cron) -> None:
    assert await cron.run(EPOCH, later=1)
    cron.restart()
    assert await cron.run(NOON + 30)
    (waiting,) = (r for r in cron.records if r.action == "delete")
    assert waiting.since is None
    assert waiting.why == ("missing from this read and from earlier ones",)


async def test_after_a_reboot_deletes_wait_until_the_machine_has_run_long_enough(cron: Cron) -> None:
    assert await cron.run(EPOCH, later=1)
    cron.restart()
    assert await cron.run(NOON + DAY)
    assert not await cron.run(NOON + DAY, later=60)


async def test_a_machine_that_was_off_confirms_with_the_next_read(cron: Cron) -> None:
    assert await cron.run(NOON, later=1)
    cron.restart()
    assert not await cron.run(NOON + DAY, later=60)


async def test_a_clock_that_was_set_back_over_a_restart_begins_the_wait_again(cron: Cron) -> None:
    assert await cron.run(NOON + DAY, later=1)
    cron.restart()
    assert await cron.run(NOON, later=90)
    assert await cron.run(NOON + DAY, later=30)
    assert not await cron.run(NOON + DAY, later=30)


async def test_an_absence_that_an_earlier_version_noted_has_its_wall_clock_only(cron: Cron) -> None:
    assert await cron.run(NOON, later=1)
    for column in ("boot", "uptime"):
        sql(cron.path, f"ALTER TABLE reconcile_absences DROP COLUMN {column}")
    assert await cron.run(NOON + 59, later=1)
    assert not await cron.run(NOON + 60, later=1)


async def test_a_report_shows_of_revisions_that_were_dated_again(tmp_path: Path) -> None:
    in_2099 = NOON + 73 * 365 * DAY
    with closing(open_rows(tmp_path / "r.db")) as rows, closing(open_history(tmp_path / "h.db")) as history:
        notes = []
        for wall, name in ((in_2099, "One"), (NOON, "Two"), (NOON, "Three")):
            source = MemorySource(snapshot(ENTRY, device(1, name=name), at=wall))
            clock = ProcessClock(lambda at=wall: at, lambda: 0.0)  # type: ignore[misc]
            reconciler = Reconciler(source, [rows, history], rows, clock, lambda *_: None)
            options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), "run", "home")
            report = await reconciler.run(options)
            assert report.status == "in_sync"
            notes.append([replica.note for replica in report.replicas])
            text = render_plan(report, PlanText())
            assert ("The clock was wrong: 2 revisions" in text) == (name == "Two")
    assert [any(found) for found in notes] == [False, True, False]
    assert notes[1][0] is None


async def test_the_time_since_which_a_record_is_missing_is_the_same_in_every_report(cron: Cron) -> None:
    """The uptime is known to a hundredth of a second, and two clocks are never read at once."""
    await cron.run(NOON + 100.4567, later=100.45)
    since = [record.since for record in cron.records]
    for seconds in (5.013, 9.0, 20.996):
        await cron.run(NOON + 100.4567 + seconds + 0.004, later=seconds)
        since += [record.since for record in cron.records]
        cron.running -= seconds
    assert since == [NOON + 100.4567] * 4


@pytest.mark.virtual_time
async def test_clocks_that_differ_by_moments_move_no_time_that_is_reported() -> None:
    machine = SetClock()
    async with running(machine=machine) as service:
        await anyio.sleep(1)
        machine.offset = 3600.0  # set once
        service.rows.rows[device(9).key] = (device(9), None)  # somebody else's
        service.home.change(snapshot(ENTRY, entity(1)), Hints(registries=frozenset({"device"})))
        since = set()
        for number in range(1, 12):
            machine.offset = 3600.0 + number % 5 * 0.003
            await anyio.sleep(2)
            service.home.change(snapshot(ENTRY, entity(1)), Hints(relist=True))
            await anyio.sleep(1)
            report = service.service.status().report
            assert report is not None
            since |= {(record.replica, record.key, record.since) for record in report.records}
        assert len(since) == 3
