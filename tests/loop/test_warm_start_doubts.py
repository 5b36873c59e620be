"""If a cache or a note in the ledger may be wrong, a pass reads for itself; failing to write a cache does no harm."""

import copy
from pathlib import Path
from typing import Any

import pytest

from engine.core.guards.guard import Policy
from engine.core.records.registries import REGISTRIES
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.passes import warm_start
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.contents import Cache, CacheDamaged
from engine.pass_cache.file import PassCacheFile
from engine.replicas.history.replica import HistoryFile
from engine.replicas.rows.replica import SqliteRows
from engine.sources.live.websocket import WebsocketSource
from tests.fakes.world import MemoryLedger, MemoryReplica, MemorySource
from tests.homes import NOON, device, entity
from tests.loop.changing_core import Core
from tests.loop.passes.test_replica_pass_odd_rows import NAMELESS, odd_home
from tests.loop.test_source_memory import Followed
from tests.loop.test_warm_start_steps import BOTH, Days, days
from tests.replicas.passes import sql
from tests.sources.recorded_homes import quiet

__all__ = ["days"]


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


async def test_another_home_is_refused_from_the_contents_of_the_stores_alone(days: Days) -> None:
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


async def test_the_notes_in_the_ledger_suffice_without_the_cache(days: Days) -> None:
    days.cache.path.unlink()
    assert (await days.run(Mode.DRY_RUN)).status == "in_sync"
    assert days.observed == []
    sql(days.rows, "UPDATE reconcile_applied SET version = '1:x' WHERE registry = 'label'")
    assert await days.outcome() == await days.outcome(cached=False)


async def test_a_cache_is_written_when_something_is_new_and_looked_through_before_anything_is_written(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Cache] = []
    check = Cache.check

    def noted(cache: Cache) -> None:
        checked.append(cache)
        check(cache)

    monkeypatch.setattr(Cache, "check", noted)
    written = days.cache.path.stat().st_ino
    await days.run()
    assert (days.cache.path.stat().st_ino, checked) == (written, [])
    sql(days.rows, "UPDATE devices SET model = 'Mocked' WHERE rowid = 1")
    await days.run()
    assert days.cache.path.stat().st_ino != written
    assert len(checked) == 1
    await days.run()
    assert days.observed == []
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    assert {record.replica for record in (await days.run()).records} == set(BOTH)
    assert len(checked) == 2


async def test_an_older_cache_is_not_taken_for_how_the_stores_are_now(days: Days) -> None:
    older, answers = days.cache.path.read_bytes(), copy.deepcopy(days.core.answers)
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    await days.run()
    days.cache.path.write_bytes(older)
    days.core.answers = answers
    found = await days.run(Mode.DRY_RUN)
    assert days.observed == [], "the ledger noted how they are"
    assert {(record.replica, record.registry) for record in found.records} == {
        (name, "area") for name in BOTH
    }


async def test_a_home_read_from_scratch_is_compared_in_full(days: Days) -> None:
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    days.core.answers["get_config"] = {**days.core.answers["get_config"], "version": "2026.12.0"}
    report = await days.run()
    assert {(record.replica, record.registry) for record in report.records} >= {
        (name, "area") for name in BOTH
    }


@pytest.mark.parametrize("has_cache", [True, False])
async def test_a_ledger_that_cannot_say_whose_home_it_is_spares_nothing(
    days: Days, monkeypatch: pytest.MonkeyPatch, has_cache: bool
) -> None:
    def fail(_: SqliteRows) -> frozenset[str]:
        raise ReplicaUnavailable("sqlite", "locked")

    monkeypatch.setattr(SqliteRows, "home", fail)
    if not has_cache:
        days.cache.path.unlink()
    report = await days.run(Mode.DRY_RUN)
    assert days.observed == BOTH
    assert [error.message for error in report.errors] == ["locked"]


@pytest.mark.parametrize("error", [ReplicaUnavailable("sqlite", "locked"), CacheDamaged("torn")])
async def test_a_pass_that_cannot_write_its_cache_still_succeeds(
    days: Days, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(warm_start, "encode_learned", fail)
    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    assert (await days.run()).status == "in_sync"
    assert (await days.run(cached=False)).status == "in_sync"


async def test_a_write_that_failed_is_made_by_the_next_pass(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ReplicaUnavailable("history", "full")

    days.core.change("area", days.core.rows("area")[0], {"name": "Renamed"})
    with monkeypatch.context() as broken:
        broken.setattr(HistoryFile, "apply", fail)
        assert [replica.status for replica in (await days.run()).replicas] == ["in_sync", "out_of_sync"]
    assert {(r.replica, r.outcome) for r in (await days.run()).records} == {("history", "applied")}
