"""A pass that begins with a cache ends as one without: the same rows, ledger, history and report, after any event in between.

Two worlds see the same Home Assistant, the same clock and the same other programs; one of them keeps its caches.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.guards.guard import Policy
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.file import PassCacheFile
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from engine.sources.live.websocket import WebsocketSource
from tests.availability import IS_LONG
from tests.examples import at_most
from tests.homes import NOON
from tests.loop.changing_core import Core
from tests.sources.recorded_homes import quiet

# What other programs do, to both worlds alike.
STRANGERS = (
    "UPDATE devices SET model = 'Mocked' WHERE rowid = 2",
    "DELETE FROM entities WHERE rowid % 7 = 3",
    "INSERT OR IGNORE INTO areas (area_id, name) VALUES ('mock', 'Mock')",
    "UPDATE entities SET last_seen = '2026-01-01 00:00:00.000000' WHERE rowid = 2",
    "UPDATE labels SET name = CAST(name AS BLOB)",
    "UPDATE entities SET entity_id = 'sensor.stolen' WHERE rowid = 5",
    "DELETE FROM reconcile_applied WHERE registry = 'entity' AND id LIKE '%7'",
    "UPDATE reconcile_applied SET version = '1:x' WHERE registry = 'device' AND id LIKE '%a'",
    "DELETE FROM reconcile_absences",
    "UPDATE reconcile_meta SET value = '[\"other\"]' WHERE name = 'home'",
    "DELETE FROM reconcile_changes",
)
STRANGERS_OF_HISTORY = (
    "UPDATE records SET payload = replace(payload, 'a', 'b') WHERE id LIKE '%3d'",
    "DELETE FROM records WHERE id LIKE '%7'",
    "UPDATE meta SET value = '' WHERE name = 'list_order'",
)


class World:
    """The stores of one home, with its caches or without."""

    def __init__(self, folder: Path, *, is_caching: bool) -> None:
        folder.mkdir()
        self.rows, self.history = folder / "rows.db", folder / "history.db"
        self.cache = PassCacheFile(self.rows) if is_caching else None

    async def run(self, core: Core, at: float, options: PassOptions) -> Report:
        """One process that makes one pass."""
        source = WebsocketSource("ws://core", "token", clock=lambda: at)
        source.read = lambda progress: source.read_from(core, progress)  # type: ignore[method-assign]
        rows = open_rows(self.rows, private_copy=options.mode != Mode.APPLY)
        history = open_history(self.history, private_copy=options.mode != Mode.APPLY)
        try:
            made = Reconciler(source, [rows, history], rows, lambda: at, quiet, cache=self.cache)
            return await made.run(options)
        finally:
            history.close()
            rows.close()

    def execute(self, statement: str, *, is_of_history: bool) -> None:
        file = self.history if is_of_history else self.rows
        with closing(apsw.Connection(str(file))) as connection, suppress(apsw.ConstraintError):
            connection.execute(statement)

    def dump(self) -> dict[str, list[Any]]:
        """All that the stores hold, but for what belongs to the cache."""
        return {
            f"{file.name} {table}": rows
            for file in (self.rows, self.history)
            for table, rows in _tables(file)
        }


def _tables(file: Path) -> Iterator[tuple[str, list[Any]]]:
    if not file.exists():
        return
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("PRAGMA journal_mode")
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            yield str(table), sorted((r for r in rows if r[0] not in ("cache_key", "equal")), key=repr)


def _comparable(report: Report) -> Report:
    return msgspec.structs.replace(report, duration_seconds=0.0, phase_seconds={})


def damage(cache: PassCacheFile, random: Random, older: list[bytes]) -> None:
    """What may have happened to the cache's file since it was written."""
    if not cache.path.exists():
        return
    content = cache.path.read_bytes()
    older.append(content)
    kind = random.randrange(7)
    if kind == 0:
        cache.path.unlink()
    elif kind == 1:
        cache.path.write_bytes(content[: random.randrange(len(content))])
    elif kind in (2, 3):
        at = random.randrange(len(content))
        cache.path.write_bytes(
            content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :]
        )
    elif kind == 4:
        cache.path.write_bytes(random.choice(older))
    elif kind == 5:
        cache.path.write_bytes(content + b"more")


@contextmanager
def worlds() -> Iterator[tuple[World, World]]:
    with TemporaryDirectory() as folder:
        yield World(Path(folder) / "kept", is_caching=True), World(Path(folder) / "bare", is_caching=False)


async def live(seed: int, steps: int) -> int:
    """Two worlds through the same days; returns for how many entities the one with caches asked."""
    random, core, older = Random(seed), Core(), list[bytes]()
    asked = 0
    with worlds() as (kept, bare):
        for step in range(steps):
            for _ in range(random.choice([0, 0, 1, 1, 2, 6]) if step else 0):
                core.edit(random)
            for world_statement, is_of_history in _disturbances(random) if step else ():
                for world in (kept, bare):
                    world.execute(world_statement, is_of_history=is_of_history)
            if random.random() < 0.25 and kept.cache is not None:
                damage(kept.cache, random, older)
            at = NOON + step * random.choice([1.0, 120.0])
            options = PassOptions(
                Mode(random.choice(["apply"] * 5 + ["dry_run", "observe"]) if step else "apply"),
                Policy(
                    delete_confirm_seconds=random.choice([0, 60]),
                    prune_foreign=random.random() < 0.2,
                    allow_empty=random.random() < 0.1,
                ),
                frozenset(REGISTRIES) if random.random() < 0.9 else frozenset({"device", "entity", "area"}),
                f"run {step}",
                "home",
            )
            reports = []
            for world in (bare, kept):
                core.asked_for = 0
                reports.append(_comparable(await world.run(core, at, options)))
                if world is kept:
                    asked += core.asked_for
            assert reports[1] == reports[0], f"step {step}"
            assert kept.dump() == bare.dump(), f"step {step}"
    return asked


def _disturbances(random: Random) -> Iterator[tuple[str, bool]]:
    if random.random() < 0.25:
        yield random.choice(STRANGERS), False
    if random.random() < 0.15:
        yield random.choice(STRANGERS_OF_HISTORY), True


@pytest.mark.slow
@settings(max_examples=at_most(25 if IS_LONG else 4))
@given(st.integers(0, 2**32))
def test_a_pass_with_a_cache_ends_as_one_without(seed: int) -> None:
    anyio.run(live, seed, 8)
