"""What the rows file notes of equal replicas spares judging rows one by one, and is not believed where anything is another."""

import copy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.loop.passes import warm_start
from engine.pass_cache.file import PassCacheFile
from engine.ports import Observed
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import SqliteRows
from tests.examples import first_quick
from tests.fakes.home_assistant import fake_home_assistant
from tests.loop.passes.test_warm_start import CHANGES, Home
from tests.sources.recorded_homes import DATA, fake_answers


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with fake_home_assistant(copy.deepcopy(fake_answers(DATA / "2026.11.0" / "rich"))) as core:
        yield Home(core, tmp_path)


async def test_without_a_cache_rows_that_are_as_noted_are_not_judged_one_by_one(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = open_history(tmp_path / "history.db")
    try:
        await home.run(history)
        whole = (await home.run(history, mode="observe")).replicas
        PassCacheFile(home.path).remove()
        for replica in (SqliteRows, type(history)):
            monkeypatch.setattr(replica, "observe", lambda _: pytest.fail("the rows were read"))
        assert not await home.was_cut_short(history), "Home Assistant is read whole"
        PassCacheFile(home.path).remove()
        home.core.answers["config/area_registry/list"][0]["name"] = "Renamed"
        changed = await home.run(history)
        assert {(r.registry, r.replica, r.cause) for r in changed.records} >= {
            ("area", "sqlite", "pending"),
            ("area", "history", "pending"),
        }
        monkeypatch.undo()
        after = await home.run(history, mode="observe")
        assert ([r.counts for r in after.replicas], after.status) == ([r.counts for r in whole], "in_sync")
    finally:
        history.close()


@pytest.mark.parametrize(
    "statement",
    first_quick(
        [
            *CHANGES,
            "DELETE FROM reconcile_applied WHERE registry = 'device'",
            "UPDATE reconcile_applied SET version = '1:00' WHERE registry = 'label'",
            "UPDATE reconcile_meta SET value = 0 WHERE name = 'row_layout'",
            "UPDATE reconcile_meta SET value = '[1,[[\"sqlite\"' WHERE name = 'equal'",
            "UPDATE reconcile_meta SET value = x'00' WHERE name = 'equal'",
            "DELETE FROM reconcile_meta WHERE name = 'cache_key'",
        ]
    ),
)
async def test_a_note_about_rows_is_ignored_if_anything_differs(home: Home, statement: str) -> None:
    await home.run()
    PassCacheFile(home.path).remove()
    home.sql(statement)
    found = await home.run(mode="dry_run")
    home.sql("DELETE FROM reconcile_meta WHERE name = 'equal'")
    whole = await home.run(mode="dry_run")
    assert (found.status, found.replicas, found.records) == (whole.status, whole.replicas, whole.records)


async def test_what_was_noted_under_another_hash_is_not_believed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.run()
    PassCacheFile(home.path).remove()
    observed = list[SqliteRows]()
    observe = SqliteRows.observe

    def observe_and_note(rows: SqliteRows) -> Observed:
        observed.append(rows)
        return observe(rows)

    monkeypatch.setattr(warm_start, "HASH_VERSION", 99)
    monkeypatch.setattr(SqliteRows, "observe", observe_and_note)
    await home.run()
    assert observed
