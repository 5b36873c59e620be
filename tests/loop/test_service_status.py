"""What the running engine says of Home Assistant and of all its replicas together, field by field."""

import anyio
import msgspec
import pytest

from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot
from engine.core.records.set_aside import SetAside
from engine.core.state.hints import Hints
from engine.core.state.report import ErrorReport, Report
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import SyncStatus
from engine.errors import ReplicaUnavailable, SourceUnavailable
from engine.loop.first_passes import FirstPasses
from engine.loop.informer import Informer
from engine.loop.listeners import PassListener
from engine.loop.replica_controller import ReplicaController
from engine.loop.service import Service
from tests.commandline.reports import added, changed, replica, report
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.running import SetClock, running
from tests.loop.virtual_time import PACE, LiveHome, clock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_the_status_reports_the_current_knowledge_of_home_assistant() -> None:
    async with running() as it:
        assert it.service.status().source == SourceStatus("live", connected=False)
        it.home.answer_seconds = 2
        await anyio.sleep(1)
        assert it.service.status().source == SourceStatus(
            "live", connected=True, connected_at=NOON, last_message_at=NOON
        )
        assert it.service.records == {}
        await anyio.sleep(2)
        it.home.answer_seconds = 0
        read = SourceStatus("live", True, "2026.11.0", "RUNNING", NOON, last_message_at=NOON + 2)
        assert it.service.status().source == read
        assert it.service.records == {"config_entry": 1, "device": 1, "entity": 1}
        await anyio.sleep(10)
        confirmed = msgspec.structs.replace(read, last_message_at=it.service.status().source.last_message_at)
        assert it.service.status().source == confirmed
        assert confirmed.last_message_at is not None
        assert confirmed.last_message_at > NOON + 10
        it.home.take_down(SourceUnavailable("gone", "wait"))
        await anyio.sleep(0.1)
        lost = it.service.status().source
        assert lost == SourceStatus(
            "live", False, "2026.11.0", last_message_at=confirmed.last_message_at, error="gone wait"
        )
        assert [what for what, _ in it.seen_at_source] == ["read", "SourceUnavailable"]


async def test_the_status_reports_the_process_and_its_start() -> None:
    machine = SetClock()
    async with running(machine=machine) as it:
        await anyio.sleep(1)
        before = it.service.status()
        assert (before.site, before.version, before.started_at) == ("home", "0", NOON)
        assert [r.replica for r in before.replicas] == ["rows", "records"]
        machine.offset = 3600.0
        after = it.service.status()
        assert after.started_at == NOON + 3600
        assert after.source == before.source.shifted(3600)
        assert after.replicas == tuple(r.shifted(3600) for r in before.replicas)
        assert it.service.status() is after


async def test_a_status_is_made_once_however_often_it_is_asked_for_while_a_change_is_unread() -> None:
    async with running() as it:
        await anyio.sleep(5)
        it.home.answer_seconds = 100
        it.home.change(it.home.now, Hints(registries=frozenset({"device"})))
        await anyio.sleep(1)
        status = it.service.status()
        assert {replica.unread_since for replica in status.replicas} == {NOON + 5}
        assert it.service.status() is status
        await anyio.sleep(200)
        read = it.service.status()
        assert {replica.unread_since for replica in read.replicas} == {None}
        assert it.service.status() is read
        it.rows.is_replaced = True
        assert it.service.status().replicas[0].status == "unknown"
        assert it.service.status() is it.service.status()


class Fixed(ReplicaController):
    """A controller whose replica is as it is given; it records the calls it receives."""

    def __init__(self, status: ReplicaStatus) -> None:
        self.status = status
        self.received: list[object] = []

    def current(self) -> ReplicaStatus:
        return self.status

    async def run(self, listener: PassListener, first_passes: FirstPasses | None = None) -> None:
        self.received += [listener, first_passes]

    def offer(self, snapshot: Snapshot) -> None:
        self.received.append(snapshot)

    def confirm(self, at: float) -> None:
        self.received.append(at)

    def lose(self) -> None:
        self.received.append("lost")


def fixed(*reports: Report | None) -> list[Fixed]:
    return [
        Fixed(ReplicaStatus(f"r{n}", SyncStatus.UNKNOWN, report=found)) for n, found in enumerate(reports)
    ]


def service(controllers: list[Fixed], informer: Informer | None = None) -> Service:
    informer = informer or Informer(LiveHome(snapshot(ENTRY)), PACE, lambda: 0.5, lambda *_: None)
    return Service(
        informer,
        controllers,
        site="home",
        version="0",
        clock=clock,
        calendar=Calendar,
        on_report=lambda _report: None,
    )


def status_of(*reports: Report | None) -> Status:
    return service(fixed(*reports)).status()


async def test_the_passes_over_all_replicas_make_one_report() -> None:
    aside = SetAside("device", "id", "null", "it has no id")
    error = ErrorReport("r1", "away", "", transient=True)
    first = report(added("Lamp"), replicas=(replica("r0", status="out_of_sync"),))
    first = msgspec.structs.replace(first, compared_at=NOON, duration_seconds=2.0, run_id="one")
    second = report(changed("Shade"), replicas=(replica("r1"),))
    second = msgspec.structs.replace(
        second, compared_at=NOON + 5, duration_seconds=1.0, run_id="two", errors=(error,), set_aside=(aside,)
    )
    found = status_of(first, None, second).report
    assert found is not None
    assert found == msgspec.structs.replace(
        second,
        status=SyncStatus.OUT_OF_SYNC,
        compared_at=NOON,
        duration_seconds=2.0,
        replicas=(*first.replicas, *second.replicas),
        records=(*first.records, *second.records),
        errors=(error,),
        partial=True,
    )
    assert status_of(second, second).report is not None
    both, neither = status_of(second, second).report, status_of(first, first).report
    assert both is not None
    assert neither is not None
    assert (both.partial, neither.partial) == (False, False)
    assert status_of(None, None).report is None


async def test_the_informers_reads_reach_every_controller() -> None:
    controllers = fixed(None, None)
    home, read = service(controllers), snapshot(ENTRY)
    home.on_connected()
    home.on_snapshot(read)
    home.on_confirmed(NOON + 3)
    home.on_disconnected(SourceUnavailable("gone"))
    assert [controller.received for controller in controllers] == [[read, NOON + 3, "lost"]] * 2


async def test_the_replicas_of_a_home_take_turns_with_their_first_passes() -> None:
    controllers = fixed(None, None)
    home = service(controllers)
    with anyio.move_on_after(1):
        await home.run()
    (listener, turns), others = (controller.received[:2] for controller in controllers)
    assert listener is home
    assert isinstance(turns, FirstPasses)
    assert others == [home, turns]


async def test_a_waiting_delete_is_read_again_when_that_confirms_it() -> None:
    class Asked(Informer):
        within: float | None = None

        def relist_within(self, seconds: float) -> None:
            self.within = seconds

    informer = Asked(LiveHome(snapshot(ENTRY)), PACE, lambda: 0.5, lambda *_: None)
    service([], informer).on_waiting(clock() + 42)
    assert informer.within == 42


async def test_a_status_is_rebuilt_when_a_replica_the_source_or_the_clock_changes() -> None:
    controllers = fixed(None, None)
    home = service(controllers)
    before = home.status()
    controllers[1].status = ReplicaStatus("r1", SyncStatus.IN_SYNC)
    changed_ = home.status()
    assert [r.status for r in changed_.replicas] == ["unknown", "in_sync"]
    home.on_connected()
    assert home.status().source.connected
    assert before is not changed_


async def test_a_replica_that_fails_is_named_in_the_report_of_all() -> None:
    async with running() as it:
        it.records.fail_with = ReplicaUnavailable("records", "away")
        await anyio.sleep(1)
        it.home.change(snapshot(ENTRY, device(2), entity(1)), Hints(registries=frozenset({"device"})))
        await anyio.sleep(1)
        found = it.service.status().report
        assert found is not None
        assert [(e.subject, e.message) for e in found.errors] == [("records", "away")]
        assert (found.partial, [r.replica for r in found.replicas]) == (True, ["rows", "records"])
