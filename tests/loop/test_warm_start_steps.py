"""The cache that a pass leaves, and the reads it saves: only rows that may have changed are read."""

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
from tests.homes import NOON
from tests.loop.changing_core import Core
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


async def test_no_later_pass_reads_the_rows_of_the_first_fill(days: Days) -> None:
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
async def test_a_full_read_on_request_reads_both_replicas(days: Days, mode: Mode) -> None:
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


async def test_a_refused_pass_leaves_the_cache_as_it_was(days: Days) -> None:
    before = days.cache.path.read_bytes()
    recovering(days)
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    assert (await days.run()).status == "blocked"
    assert days.cache.path.read_bytes() == before


@pytest.mark.parametrize("disturb", [label, starting, recovering, foreign])
async def test_every_pass_finds_the_remaining_differences_again(days: Days, disturb: Any) -> None:
    disturb(days)
    found = [await days.run() for _ in range(3)]
    assert {report.status for report in found} <= {"out_of_sync", "blocked"}
    assert found[1].replicas == found[2].replicas
    assert await days.outcome() == await days.outcome(cached=False)
