"""A pass starts from the knowledge of the last one, and from nothing if that might be wrong.

A fake Home Assistant behind the real websocket source, and a real rows file.
"""

import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine.core.guards.guard import Policy
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.passes import warm_start
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.file import PassCacheFile
from engine.ports import Replica
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import SqliteRows, open_rows
from engine.sources.live.websocket import WebsocketSource
from tests.examples import first_quick
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant, fake_home_assistant
from tests.homes import NOON
from tests.sources.recorded_homes import DATA, clock, fake_answers, quiet

ENTITY_LIST = "config/entity_registry/list"
GET_ENTRIES = "config/entity_registry/get_entries"


class Home:
    """A rows file and the core it mirrors; every pass is a new process, as far as memory goes."""

    def __init__(self, core: FakeHomeAssistant, folder: Path) -> None:
        self.core = core
        self.path = folder / "rows.db"

    async def run(self, *more: Replica, mode: str = "apply", **options: Any) -> Report:
        given = {"policy": Policy(), "registries": frozenset(REGISTRIES), "run_id": "r", "site": "s"}
        rows = self.open()
        try:
            source = WebsocketSource(self.core.uri, TOKEN, clock=clock)
            made = Reconciler(
                source, [rows, *more], rows, lambda: NOON, quiet, cache=PassCacheFile(self.path)
            )
            return await made.run(PassOptions(Mode(mode), **{**given, **options}))
        finally:
            rows.close()

    async def was_cut_short(self, *more: Replica, **options: Any) -> bool:
        """Whether a pass that finds all in sync did so without asking for extended rows."""
        before = self.core.count(GET_ENTRIES)
        report = await self.run(*more, **options)
        assert report.status == "in_sync"
        return self.core.count(GET_ENTRIES) == before

    def open(self) -> SqliteRows:
        return open_rows(self.path)

    def sql(self, statement: str) -> list[Any]:
        connection = apsw.Connection(str(self.path))
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with fake_home_assistant(copy.deepcopy(fake_answers(DATA / "2026.11.0" / "rich"))) as core:
        yield Home(core, tmp_path)


async def test_the_pass_after_a_first_fill_is_shortened_and_reports_the_same(home: Home) -> None:
    first = await home.run()
    before = home.sql("SELECT * FROM reconcile_meta"), home.path.stat().st_mtime_ns
    (filled,) = first.replicas
    assert await home.was_cut_short()
    assert (home.sql("SELECT * FROM reconcile_meta"), home.path.stat().st_mtime_ns) == before

    second = await home.run()
    whole = await home.run(expected={"sqlite": second.replicas[0].fingerprint})
    assert second.source == whole.source == first.source
    assert second.replicas == whole.replicas
    assert second.replicas[0].counts.in_sync == filled.counts.missing
    assert (await home.run(mode="dry_run")).replicas == whole.replicas


async def test_a_row_that_another_program_changed_is_found_and_healed(home: Home) -> None:
    await home.run()
    home.sql("UPDATE devices SET model = 'Mocked' WHERE rowid = 1")
    healed = await home.run()
    assert [(r.cause, [f.name for f in r.fields]) for r in healed.records] == [("drift", ["model"])]
    assert await home.was_cut_short()


CHANGES = (
    "DELETE FROM entities WHERE rowid = 3",
    "INSERT INTO areas (area_id, name) VALUES ('mock', 'Mock')",
    "UPDATE entities SET last_seen = '2026-01-01 00:00:00.000000' WHERE rowid = 2",
    "UPDATE labels SET name = CAST(name AS BLOB)",
)


@pytest.mark.parametrize("statement", first_quick(CHANGES))
async def test_no_change_of_the_rows_goes_unseen(home: Home, statement: str) -> None:
    await home.run()
    home.sql(statement)
    report = await home.run(mode="dry_run")
    assert report.status == "out_of_sync"
    assert report.records


async def test_a_change_at_home_assistant_is_read_and_proved_again(home: Home) -> None:
    await home.run()
    listed = home.core.answers[ENTITY_LIST]
    listed[3]["modified_at"] += 1
    assert not await home.was_cut_short()
    area = home.core.answers["config/area_registry/list"][0]
    area["name"] = "Renamed"
    changed = await home.run()
    assert {(r.registry, r.key) for r in changed.records} >= {("area", area["area_id"])}
    assert await home.was_cut_short()


async def test_another_version_of_home_assistant_is_read_whole(home: Home) -> None:
    await home.run()
    home.core.answers["get_config"] = {**home.core.answers["get_config"], "version": "2026.12.0"}
    assert not await home.was_cut_short()


async def test_another_version_of_this_program_is_not_believed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.run()
    monkeypatch.setattr(warm_start, "__version__", "0.0.0")
    assert not await home.was_cut_short()


async def test_the_state_of_home_assistant_is_reported_although_nothing_else_changed(home: Home) -> None:
    await home.run()
    home.core.state = "NOT_RUNNING"
    report = await home.run()
    assert (report.status, report.source.state) == ("in_sync", "NOT_RUNNING")


async def test_an_absence_that_another_pass_noted_ends_when_the_record_is_back(home: Home) -> None:
    await home.run()
    before = copy.deepcopy(home.core.answers)
    labels = home.core.answers["config/label_registry/list"]
    gone = labels.pop()
    waiting = await home.run()
    assert [r.waiting for r in waiting.replicas] == [1]
    home.core.answers = before
    assert gone in home.core.answers["config/label_registry/list"]
    assert home.sql("SELECT id FROM reconcile_absences") == [(gone["label_id"],)]
    assert (await home.run()).status == "in_sync"
    assert home.sql("SELECT id FROM reconcile_absences") == []


async def test_a_request_for_more_than_the_outcome_gets_a_whole_pass(home: Home) -> None:
    await home.run()
    assert not await home.was_cut_short(mode="drift")
    assert not await home.was_cut_short(mode="observe")
    # Of some registries all replicas are looked at, and the entities are known.
    home.sql("UPDATE devices SET model = 'Mocked' WHERE rowid = 1")
    some = await home.run(registries=frozenset({"device", "entity"}), mode="dry_run")
    assert [(r.cause, [f.name for f in r.fields]) for r in some.records] == [("drift", ["model"])]


async def test_with_a_history_each_replica_is_known_by_itself(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = open_history(path)
    try:
        await home.run()
        filled = await home.run(history)
        assert [r.planned.upsert for r in filled.replicas] == [0, filled.source.records]
        assert await home.was_cut_short(history)
        short = await home.run(history)
        assert [r.counts.in_sync for r in short.replicas] == [short.source.records] * 2
        assert short.replicas == (await home.run(history, mode="observe")).replicas

        other = apsw.Connection(str(path))
        other.execute(
            "UPDATE records SET payload = replace(payload, 'Bed Light', 'Mocked') WHERE id LIKE '0496%'"
        )
        other.close()
        healed = await home.run(history)
        assert [(r.replica, r.cause) for r in healed.records] == [("history", "drift")]
        assert await home.was_cut_short(history)

        label = home.core.answers["config/label_registry/list"].pop()
        await home.run(history, policy=Policy(delete_confirm_seconds=0))
        assert await home.was_cut_short(history)
        assert label["label_id"] not in {row[0] for row in home.sql("SELECT label_id FROM labels")}
        assert (await home.run(history)).replicas == (await home.run(history, mode="observe")).replicas
    finally:
        history.close()


async def test_a_history_that_was_moved_is_compared_as_one_without_a_cache_is(
    home: Home, tmp_path: Path
) -> None:
    history, moved = open_history(tmp_path / "history.db"), {"history": "moved"}
    try:
        await home.run(history, places={"history": "here"})
        assert await home.was_cut_short(history, places={"history": "here"})
        home.core.answers["config/area_registry/list"][0]["name"] = "Renamed"
        found = [await home.run(history, mode="dry_run", places=moved)]
        PassCacheFile(home.path).remove()
        found.append(await home.run(history, mode="dry_run", places=moved))
        assert found[0].records == found[1].records
        assert (
            found[0].records[-1].applied_hash is None
        )  # what was written to the store before says nothing of it
        await home.run(history, places=moved)
        assert await home.was_cut_short(history, places=moved)
        rows = home.open()
        assert rows.place("history") == "moved"
        rows.close()
    finally:
        history.close()


async def test_rows_written_by_another_program_during_a_pass_are_compared_in_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = SqliteRows.apply

    def write_after_another(rows: SqliteRows, *arguments: Any) -> None:
        home.sql("UPDATE devices SET model = 'Mocked' WHERE rowid = 2")
        write(rows, *arguments)

    await home.run()
    home.core.answers["config/area_registry/list"][0]["name"] = "Renamed"
    monkeypatch.setattr(SqliteRows, "apply", write_after_another)
    await home.run()
    monkeypatch.setattr(SqliteRows, "apply", write)

    report = await home.run()
    assert [(r.cause, [f.name for f in r.fields]) for r in report.records] == [("drift", ["model"])]


async def test_a_core_without_stamps_is_never_taken_for_unmodified(tmp_path: Path) -> None:
    answers = fake_answers(DATA / "2024.3.3" / "rich")
    async with fake_home_assistant(answers, ha_version="2024.3.3") as core:
        home = Home(core, tmp_path)
        await home.run()
        assert not await home.was_cut_short()
