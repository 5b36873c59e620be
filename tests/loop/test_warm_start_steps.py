"""What a pass leaves for the next and what that one spares: no row is read that nobody can have changed, and any other is."""

from pathlib import Path
from typing import Any

import pytest

from engine.core.guards.guard import Policy
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.file import PassCacheFile
from engine.ports import Observed
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.rows.replica import SqliteRows, open_rows
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.world import MemoryLedger, MemoryReplica, MemorySource
from tests.homes import NOON, device, entity
from tests.loop.changing_core import Core
from tests.loop.passes.test_replica_pass_odd_rows import NAMELESS, odd_home
from tests.loop.test_source_memory import Followed
from tests.replicas.passes import sql
from tests.sources.recorded_homes import quiet

BOTH = ["sqlite", "history"]


class Days:
    """A rows file and a history beside a core; every pass is a new process, as far as memory goes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.core = Core()
        self.rows, self.history = folder / "rows.db", folder / "history.db"
        self.cache = PassCacheFile(self.rows)
        self.observed: list[str] = []
        self.away: set[str] = set()  # replicas that do not answer
        for replica in (SqliteRows, HistoryFile):
            monkeypatch.setattr(replica, "observe", self._noting(replica.observe))

    def _noting(self, observe: Any) -> Any:
        def noted(replica: Any) -> Observed:
            self.observed.append(replica.name)
            if replica.name in self.away:
                raise ReplicaUnavailable(replica.name, "away")
            return observe(replica)  # type: ignore[no-any-return]

        return noted

    async def run(self, mode: Mode = Mode.APPLY, *, cached: bool = True, **options: Any) -> Report:
        """One pass; `observed` are the replicas of which it read all rows."""
        given = {"policy": Policy(), "registries": frozenset(REGISTRIES), "run_id": "r", "site": "s"}
        self.observed.clear()
        source = WebsocketSource("ws://core", "token", clock=lambda: NOON)
        source.read = lambda progress: source.read_from(self.core, progress)  # type: ignore[method-assign]
        rows, history = open_rows(self.rows), open_history(self.history)
        try:
            cache = self.cache if cached else None
            made = Reconciler(source, [rows, history], rows, lambda: NOON, quiet, cache=cache)
            return await made.run(PassOptions(mode, **{**given, **options}))
        finally:
            history.close()
            rows.close()

    async def outcome(self, **options: Any) -> tuple[Any, ...]:
        """What a pass that only looks says of the replicas."""
        report = await self.run(Mode.DRY_RUN, **options)
        return report.status, report.replicas, report.records


@pytest.fixture
async def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Days:
    made = Days(tmp_path, monkeypatch)
    assert (await made.run()).status == "in_sync"
    assert made.observed == BOTH
    return made


async def test_what_the_first_fill_left_no_later_pass_reads(days: Days) -> None:
    for mode in (Mode.APPLY, Mode.DRY_RUN):
        report = await days.run(mode)
        assert (report.status, days.observed) == ("in_sync", [])
    assert [replica.counts.in_sync for replica in report.replicas] == [report.source.records] * 2


async def test_a_pass_that_changes_one_record_reads_no_other(days: Days) -> None:
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    changed = await days.run()
    assert days.observed == []
    assert {(r.registry, r.outcome) for r in changed.records} == {("area", "applied")}
    assert (await days.run()).status == "in_sync"
    assert days.observed == []
    assert await days.outcome() == await days.outcome(cached=False)


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.DRIFT])
async def test_whoever_asks_for_all_of_it_has_all_of_it_read(days: Days, mode: Mode) -> None:
    before = days.cache.path.read_bytes()
    await days.run(mode)
    assert days.observed == BOTH
    assert days.cache.path.read_bytes() == before


async def test_a_pass_over_some_registries_spares_nothing_and_leaves_nothing(days: Days) -> None:
    before = days.cache.path.read_bytes()
    some = await days.run(registries=frozenset({"device", "entity"}))
    assert (some.status, days.observed) == ("in_sync", BOTH)
    assert days.cache.path.read_bytes() == before


async def test_a_replica_that_another_program_wrote_to_is_read_and_the_other_is_not(days: Days) -> None:
    sql(days.history, "DELETE FROM records WHERE id IN (SELECT id FROM records LIMIT 1)")
    healed = await days.run()
    assert {record.replica for record in healed.records} == {"history"}
    assert days.observed == ["history"]
    assert (await days.run()).status == "in_sync"
    assert days.observed == []


async def test_a_replica_that_was_away_is_read_once_it_is_back(days: Days) -> None:
    sql(days.history, "DELETE FROM records WHERE id IN (SELECT id FROM records LIMIT 1)")
    days.away.add("history")
    failed = await days.run()
    assert [replica.status for replica in failed.replicas] == ["in_sync", "unknown"]
    days.away.clear()
    assert {record.replica for record in (await days.run()).records} == {"history"}
    assert days.observed == ["history"]


def label(days: Days) -> None:
    days.core.rows("label").pop()  # waits for a second look


def starting(days: Days) -> None:
    days.core.rows("label").pop()
    days.core.answers["get_config"] = {**days.core.answers["get_config"], "state": "STARTING"}


def recovering(days: Days) -> None:
    days.core.answers["get_config"] = {**days.core.answers["get_config"], "recovery_mode": True}


def foreign(days: Days) -> None:
    sql(days.rows, "INSERT INTO areas (area_id, name) VALUES ('mock', 'Mock')")


@pytest.mark.parametrize("disturb", [label, starting, recovering, foreign])
async def test_what_is_left_undone_is_found_again_by_every_pass(days: Days, disturb: Any) -> None:
    disturb(days)
    found = [await days.run() for _ in range(3)]
    assert {report.status for report in found} <= {"out_of_sync", "blocked"}
    assert found[1].replicas == found[2].replicas
    assert await days.outcome() == await days.outcome(cached=False)


async def test_a_cache_that_was_damaged_is_no_cache(days: Days) -> None:
    content = days.cache.path.read_bytes()
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    for at in (len(content) // 2, len(content) - 2):
        days.cache.path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert (await days.run()).status == "in_sync"
        assert await days.outcome() == await days.outcome(cached=False)


async def test_odd_rows_are_read_by_a_pass_that_knows_nothing(days: Days) -> None:
    del days.core.rows("area")[0]["area_id"]
    with_cache = await days.run(Mode.DRY_RUN)
    assert with_cache.set_aside
    assert with_cache.set_aside == (await days.run(Mode.DRY_RUN, cached=False)).set_aside
    await days.run()
    assert not days.cache.path.exists(), "it would be read in vain"


async def test_another_store_is_not_taken_for_the_one_that_was_compared(days: Days) -> None:
    await days.run(places={"history": "here"})
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    await days.run(places={"history": "here"})
    await days.run(Mode.DRY_RUN, places={"history": "here"})
    assert days.observed == []
    await days.run(Mode.DRY_RUN, places={"history": "there"})
    assert days.observed == ["history"]


async def test_another_home_is_refused_by_what_the_stores_hold_alone(days: Days) -> None:
    for store in (days.rows, days.history):
        sql(store, f"DELETE FROM {'reconcile_meta' if store == days.rows else 'meta'} WHERE name = 'home'")
    for row in days.core.rows("config_entry"):
        row["entry_id"] = f"other{row['entry_id'][5:]}"
    found = await days.outcome()
    assert found == await days.outcome(cached=False)
    assert found[0] == "blocked"


async def test_a_replica_that_cannot_be_recognised_is_reported_by_the_pass(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: HistoryFile) -> int | None:
        raise ReplicaUnavailable("history", "locked")

    monkeypatch.setattr(HistoryFile, "data_version", fail)
    report = await days.run()
    assert [replica.status for replica in report.replicas] == ["in_sync", "unknown"]
    assert [error.message for error in report.errors] == ["locked"]


async def test_a_cache_that_the_source_does_not_know_is_no_cache(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WebsocketSource, "recall", lambda *_: None)
    report = await days.run()
    assert (report.status, days.observed) == ("in_sync", []), "the ledger's notes are enough"


async def test_a_source_or_a_ledger_without_a_memory_has_no_cache(tmp_path: Path) -> None:
    file = PassCacheFile(tmp_path / "rows.db")
    options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), "run", "home")
    odd = odd_home(device(1), entity(1), aside=NAMELESS)
    plain = Followed(Core())
    for source in (MemorySource(odd), plain):
        made = Reconciler(source, [MemoryReplica()], MemoryLedger(), lambda: NOON, quiet, cache=file)
        report = await made.run(options)
        assert report.source.connected
        assert len(report.set_aside) == (source is not plain)
    assert not file.path.exists()


async def test_what_was_noted_under_another_hash_is_not_believed(days: Days) -> None:
    days.cache.path.unlink()
    sql(days.rows, "UPDATE reconcile_meta SET value = replace(value, '[1,', '[0,') WHERE name = 'equal'")
    await days.run(Mode.DRY_RUN)
    assert days.observed == BOTH


async def test_what_the_ledger_noted_is_enough_where_the_cache_is_gone(days: Days) -> None:
    days.cache.path.unlink()
    assert (await days.run(Mode.DRY_RUN)).status == "in_sync"
    assert days.observed == []
    sql(days.rows, "UPDATE reconcile_applied SET version = '1:x' WHERE registry = 'label'")
    assert await days.outcome() == await days.outcome(cached=False)
