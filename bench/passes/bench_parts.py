"""The parts of a pass, one by one, for pytest-benchmark: where the time of `bench_pass` goes.

    python -m pytest bench/passes/bench_parts.py --benchmark-only [--benchmark-save NAME]
    python -m pytest-benchmark compare          # two saved runs side by side

Input: a seeded home of 20,000 entities and the same with 1 % changed. A part's work is all rows of that home;
`rows_per_second` is in its extra_info.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import anyio
import msgspec
import pytest

from api.app import build_app
from api.app_context import AppOptions, only
from bench.api.stand import context_over, get
from bench.driving import ScriptedConnection, cold_pass, copy_rows, tokenise
from bench.registries import Home, make_home, records_of, snapshot_of
from engine.core.compare.diff import compare
from engine.core.compare.plan import Plan, make_plan
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Record
from engine.core.records.record_json import canonical_fields, encode_record
from engine.ports import Run
from engine.replicas.influx.schema.points import Point, encode_point
from engine.replicas.rows.codec import digest_row, encode_row
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.replicas.rows.replica import NAME, open_rows
from engine.sources.answers.registry_rows import entity_record

SIZE = 20_000
ROUNDS = 5
RUN_ID = "20261123T120000Z-abcdef"


class _Page(msgspec.Struct):
    """What a client needs of a page to continue."""

    count: int
    next: str | None


@pytest.fixture(scope="module")
def home() -> Home:
    """The home as bytes."""
    return make_home(SIZE)


@pytest.fixture(scope="module")
def records(home: Home) -> list[Record]:
    """Its records."""
    return records_of(home)


@pytest.fixture(scope="module")
def before(records: list[Record]) -> Snapshot:
    """Its snapshot."""
    return snapshot_of(records)


@pytest.fixture(scope="module")
def after() -> Snapshot:
    """The snapshot with 1 % changed."""
    return snapshot_of(records_of(make_home(SIZE, changed=0.01)))


@pytest.fixture(scope="module")
def filled(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rows file that is equal to it."""
    file = tmp_path_factory.mktemp("filled") / "rows.db"
    anyio.run(cold_pass, ScriptedConnection(home), file)
    return file


class Timed(Protocol):
    """Measures a function; with `setup` each of its rounds gets arguments of its own."""

    def __call__(self, function: Callable[..., Any], *args: object, setup: Any = None) -> Any:
        """What the function returned."""


@pytest.fixture
def timed(benchmark: Any) -> Timed:
    """Rounds instead of calibrated loops: a part takes from milliseconds to seconds."""

    def measure(function: Callable[..., Any], *args: object, setup: Any = None) -> Any:
        result = benchmark.pedantic(function, args, setup=setup, rounds=ROUNDS, warmup_rounds=1)
        if benchmark.stats is not None:
            benchmark.extra_info["rows_per_second"] = round(SIZE / benchmark.stats.stats.median)
        return result

    return measure


def test_tokenise_and_hash(timed: Timed, home: Home) -> None:
    """The floor: raw items and one hash, of the lists."""
    timed(tokenise, home)


def test_decode(timed: Timed, home: Home) -> None:
    """Extended rows into records."""
    rows = list(home.extended.values())

    def decode() -> None:
        for row in rows:
            entity_record(row, aliases_ordered=True)

    timed(decode)


def test_canonical_form(timed: Timed, records: list[Record]) -> None:
    """Records into canonical fields."""
    timed(lambda: [canonical_fields(r) for r in records])


def test_content_hash(timed: Timed, records: list[Record]) -> None:
    """Canonical form, sorted JSON, BLAKE2b."""
    timed(lambda: [content_hash(r) for r in records])


def test_derive_and_row_versions(timed: Timed, records: list[Record], before: Snapshot) -> None:
    """Derived values, and the versions that rows have with them."""

    def fresh() -> tuple[tuple[Snapshot], dict[str, object]]:
        return (snapshot_of(records, hashes=before.home.hashes),), {}

    timed(lambda snapshot: snapshot.home.row_versions, setup=fresh)


def test_diff_of_equal_sides(timed: Timed, before: Snapshot) -> None:
    """Three sides that agree."""
    held, applied = dict(before.home.row_versions), dict(before.home.row_versions)
    found = timed(compare, before.home.row_versions, held, applied, before.reading.registries)
    assert not found.differences


def test_diff_of_one_percent(timed: Timed, before: Snapshot, after: Snapshot) -> None:
    """Three sides that differ in 1 %."""
    held, applied = dict(before.home.row_versions), dict(before.home.row_versions)
    found = timed(compare, after.home.row_versions, held, applied, after.reading.registries)
    assert len(found.differences) == SIZE // 100 + SIZE // 100 // 20  # those replaced count twice


def test_plan_of_a_first_fill(timed: Timed, before: Snapshot) -> None:
    """The plan that writes everything."""
    plan = timed(fill_plan, before)
    assert len(plan.operations) == len(before.home.records)


def test_rows_encoded_and_digested(timed: Timed, before: Snapshot) -> None:
    """Records into column values, and their digest."""

    def encode() -> None:
        for key, record in before.home.records.items():
            digest_row(encode_row(record, before.home.derived.get(key), "2026-11-23 12:00:00.000000"))

    timed(encode)


def test_rows_observed(timed: Timed, filled: Path, before: Snapshot) -> None:
    """Every row read and judged by its digest."""
    rows = open_rows(filled)
    observed = timed(rows.observe)
    rows.close()
    assert observed.versions == before.home.row_versions


def test_rows_applied_first_fill(timed: Timed, before: Snapshot, tmp_path: Path) -> None:
    """Every row written, with its bookkeeping."""
    operations = fill_plan(before).operations
    numbers = iter(range(1000))

    def empty() -> tuple[tuple[object, ...], dict[str, object]]:
        return (open_rows(tmp_path / f"{next(numbers)}.db"), operations, run_of(before)), {}

    timed(lambda rows, todo, run: rows.apply(todo, run), setup=empty)


def test_rows_applied_one_percent(
    timed: Timed, filled: Path, before: Snapshot, after: Snapshot, tmp_path: Path
) -> None:
    """1 % of the rows written, with their bookkeeping."""
    numbers = iter(range(1000))

    def full() -> tuple[tuple[object, ...], dict[str, object]]:
        rows = open_rows(copy_rows(filled, tmp_path / f"{next(numbers)}.db"))
        rows.data_version()  # as a pass begins
        diff = compare(
            after.home.row_versions,
            before.home.row_versions,
            before.home.row_versions,
            after.reading.registries,
        )
        stored = rows.read([d.key for d in diff.differences if d.observed])
        plan = make_plan(NAME, diff, after, stored, with_derived=True, prune_foreign=False)
        return (rows, plan.operations, run_of(after)), {}

    timed(lambda rows, todo, run: rows.apply(todo, run), setup=full)


def test_points_encoded(timed: Timed, before: Snapshot) -> None:
    """Records into line protocol."""
    points = [
        Point(key, 1_795_435_200_000_000_000 + n, "update", 3, before.home.hashes[key], encode_record(record))
        for n, (key, record) in enumerate(before.home.records.items())
    ]
    timed(lambda: [encode_point("home", RUN_ID, point) for point in points])


def test_api_list(timed: Timed, filled: Path, tmp_path: Path) -> None:
    """All entities, page by page of the API's list, when nothing of an answer before is kept.

    A client reads as much of a page as it needs to continue: decoding all of it took as long as the answers.
    """
    file = copy_rows(filled, tmp_path / "asked.db")

    async def pages() -> int:
        rows_reader = SqliteRowsReader(file)
        app = build_app(only(context_over(rows_reader)), AppOptions())
        target, entities = "/api/entities?limit=1000", 0
        while target:
            page = msgspec.json.decode(await get(app, target), type=_Page)
            entities += page.count
            target = f"/api/entities?limit=1000&after={page.next}" if page.next else ""
        await rows_reader.aclose()
        return entities

    assert timed(anyio.run, pages) == SIZE


def fill_plan(desired: Snapshot) -> Plan:
    """The plan that writes everything."""
    diff = compare(desired.home.row_versions, {}, {}, desired.reading.registries)
    return make_plan(NAME, diff, desired, {}, with_derived=True, prune_foreign=False)


def run_of(desired: Snapshot) -> Run:
    """A run that writes a snapshot."""
    return Run("bench", desired.reading.taken_at, desired.reading.origin, None, desired.home.row_versions)
