"""Filling an empty rows file: the engine's way, and the least that any program must do."""

import time
from itertools import groupby
from pathlib import Path

from bench.driving import ScriptedConnection, cold_pass
from engine.core.compare.diff import compare
from engine.core.compare.plan import make_plan
from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import REGISTRIES
from engine.ports import Run
from engine.replicas.rows.codec import encode_row, format_time
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.replica import NAME, open_rows
from engine.replicas.rows.schema import ensure_schema
from engine.replicas.rows.writing.filling import upsert_statement
from engine.replicas.sqlite_file.database import ApswFile


async def bare_executemany(desired: Snapshot, folder: Path) -> float:
    """Insert rows that are ready, into the same tables, in one transaction; returns the seconds of that alone."""
    file = ApswFile(NAME, _absent(folder))
    last_seen = format_time(desired.reading.taken_at)
    assert last_seen is not None
    rows = {
        registry: [encode_row(desired.home.records[k], desired.home.derived.get(k), last_seen) for k in keys]
        for registry, keys in groupby(desired.home.records, key=lambda key: key.registry)
    }
    with file.writing() as connection:
        ensure_schema(connection, NAME)
    started = time.perf_counter()
    with file.writing() as connection:
        for registry in REGISTRIES:
            connection.executemany(upsert_statement(TABLES[registry]), rows.get(registry, []))
    seconds = time.perf_counter() - started
    file.close()
    return seconds


async def write_only(desired: Snapshot, folder: Path) -> float:
    """The engine's write of a plan that is ready: encode, insert, read back, digests, change feed, ledger."""
    rows = open_rows(_absent(folder))
    diff = compare(desired.home.row_versions, {}, {}, desired.reading.registries)
    plan = make_plan(NAME, diff, desired, {}, with_derived=True, prune_foreign=False)
    run = Run("bench", desired.reading.taken_at, desired.reading.origin, None, desired.home.row_versions)
    started = time.perf_counter()
    rows.apply(plan.operations, run)
    seconds = time.perf_counter() - started
    rows.close()
    return seconds


async def fill(connection: ScriptedConnection, folder: Path) -> float:
    """The whole first pass: reading, comparing, writing."""
    return await cold_pass(connection, _absent(folder))


def _absent(folder: Path) -> Path:
    file = folder / "fill.db"
    for path in folder.glob("fill.db*"):
        path.unlink()
    return file
