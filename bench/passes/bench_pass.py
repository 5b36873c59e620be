"""Whole passes in process beside the floor: the cost of reconciling beyond splitting and hashing the bytes.

    python -m bench.passes.bench_pass [--sizes 1300,20000]

Input: seeded homes (`bench.registries`), a SQLite file on this machine's disk, no records replica. Floor: the
answers that the pass reads, tokenised into raw items (msgspec) and hashed once (xxh3); a cold pass also reads
the extended rows, and so does its floor. Method: all cases in every round, in turn; the worst of three medians. Python looks for
reference cycles as in the program: seldom in the service's passes, not at all in a command's.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import anyio
import apsw

from bench.driving import (
    ScriptedConnection,
    ScriptedSource,
    cold_pass,
    copy_rows,
    entries_answers,
    kept,
    tokenise,
    tokenise_entries,
)
from bench.figures import RUNS, Case, Figure, publish, ratio, take_rounds, worst_median
from bench.passes.first_fill import bare_executemany, fill, write_only
from bench.plot import plot
from bench.registries import Home, make_home, records_of, snapshot_of
from engine.pass_cache.file import PassCacheFile
from engine.process.garbage_collection import rare_garbage_collection, without_garbage_collection
from engine.replicas.rows.replica import SqliteRows, open_rows

SIZES = (1_300, 14_000, 20_000, 41_000)
LARGE = 200_000
BUDGET_SIZE = 20_000
# Of the floor, at 20,000 entities.
BUDGETS = {
    "warm unchanged": 2.0,
    "cold unchanged": 3.0,
    "verifying": 10.0,
    "1 % changed": 5.0,
}
# Of a bare executemany of the same rows.
FILL_BUDGETS = {"first fill, writing": 3.5, "first fill, whole pass": 6.0}
FLOORS = dict.fromkeys((*BUDGETS, "verifying at start", "verifying without digests"), "floor")
FLOORS |= dict.fromkeys(("cold unchanged", "cold 1 % changed", "cold without cache"), "cold floor")
GROWTH_MAX = 1.2
MEMORY_MAX = 3.0

_FORGET_DIGESTS = "UPDATE reconcile_applied SET row_digest = NULL"


class Measured:
    """The cases of one size. One warm source and controller serve them all, as in the service."""

    def __init__(self, home: Home, changed: Home, folder: Path) -> None:
        self._home, self._folder = home, folder
        self._entries = entries_answers(home)
        self._connections = (ScriptedConnection(home), ScriptedConnection(changed))
        self._turn = self._cold_turn = 0
        self._warm_source = ScriptedSource()

    async def floor(self) -> float:
        """What any warm read must do."""
        started = time.perf_counter()
        tokenise(self._home)
        return time.perf_counter() - started

    async def cold_floor(self) -> float:
        """What any first read must do."""
        started = time.perf_counter()
        tokenise(self._home)
        tokenise_entries(self._entries)
        return time.perf_counter() - started

    async def cold(self) -> float:
        """A process that knows nothing, as `reconcile` without its imports."""
        with without_garbage_collection():
            return await cold_pass(self._connections[0], self._folder / "cold.db")

    async def cold_changed(self) -> float:
        """The same when 1 % changed since the last process."""
        self._cold_turn = 1 - self._cold_turn
        with without_garbage_collection():
            return await cold_pass(self._connections[self._cold_turn], self._folder / "cold changed.db")

    async def cold_unknowing(self) -> float:
        """The same without the cache of the last pass, so that every record is read and compared."""
        file = self._folder / "unknowing.db"
        PassCacheFile(file).remove()
        with without_garbage_collection():
            return await cold_pass(self._connections[0], file)

    async def verifying_at_start(self) -> float:
        """The service judges every row by its own digest, as it does when it starts."""
        return await self._verify(self._verified)

    async def verifying_without_digests(self) -> float:
        """The same when every row has to be decoded and hashed as a record, as after an upgrade."""
        connection = apsw.Connection(str(self._judged.path))
        connection.execute(_FORGET_DIGESTS)
        connection.close()
        return await self._verify(self._judged)

    async def _verify(self, rows: SqliteRows) -> float:
        """A controller's first pass verifies; the source is warm."""
        async with kept(rows, self._warm_source) as replica:
            return await replica.relist(self._connections[0])

    async def run(self, rounds: int) -> dict[str, list[float]]:
        """Seconds by case."""
        cold = self._folder / "cold.db"
        await cold_pass(self._connections[0], cold)
        copy_rows(cold, self._folder / "unknowing.db")
        await cold_pass(self._connections[0], self._folder / "cold changed.db")
        names = ("warm", "changing", "verified", "judged")
        files = [open_rows(copy_rows(cold, self._folder / f"{name}.db")) for name in names]
        warm_rows, changing_rows, self._verified, self._judged = files
        async with (
            kept(warm_rows, self._warm_source) as warm,
            kept(changing_rows, ScriptedSource()) as changing,
        ):
            await changing.relist(self._connections[0])

            async def unchanged() -> float:
                return await warm.relist(self._connections[0])

            async def one_percent() -> float:
                self._turn = 1 - self._turn
                return await changing.relist(self._connections[self._turn])

            async def verifying() -> float:
                return await changing.verify()

            cases: dict[str, Case] = {
                "floor": self.floor,
                "cold floor": self.cold_floor,
                "warm unchanged": unchanged,
                "1 % changed": one_percent,
                "cold unchanged": self.cold,
                "cold 1 % changed": self.cold_changed,
                "cold without cache": self.cold_unknowing,
                "verifying": verifying,
                "verifying at start": self.verifying_at_start,
                "verifying without digests": self.verifying_without_digests,
            }
            taken = await take_rounds(cases, rounds)
        for file in files:
            file.close()
        return taken


def measure(size: int) -> dict[str, list[float]]:
    """Seconds by case for a home of a size; fewer rounds for big ones."""
    home, changed = make_home(size), make_home(size, changed=0.01)
    rounds = 15 if size < 10_000 else 9 if size < 30_000 else 5 if size < 100_000 else 3
    with tempfile.TemporaryDirectory() as directory, rare_garbage_collection():
        return anyio.run(Measured(home, changed, Path(directory)).run, rounds)


def pass_figures(size: int, taken: dict[str, list[float]]) -> list[Figure]:
    """The milliseconds of one size, and what they are of the floor."""
    text = f"{size:,} entities"
    figures = []
    for name, seconds in taken.items():
        figures.append(Figure(name=name, size=text, value=worst_median(seconds) * 1000, unit="ms", runs=RUNS))
        if name in FLOORS:
            budget = BUDGETS.get(name) if size == BUDGET_SIZE else None
            value = ratio(taken, name, FLOORS[name])
            figures.append(
                Figure(name=name, size=text, value=value, unit="x floor", budget=budget, runs=RUNS)
            )
    return figures


def growth_figures(all_taken: dict[int, dict[str, list[float]]]) -> list[Figure]:
    """Microseconds per entity of the largest home over those of the smallest."""
    small, large = min(all_taken), max(all_taken)
    text = f"{small:,} to {large:,}"
    return [
        Figure(
            name=f"growth, {name}",
            size=text,
            value=(median(all_taken[large][name]) / large) / (median(all_taken[small][name]) / small),
            unit="x linear",
            budget=GROWTH_MAX if name in BUDGETS else None,
        )
        for name in all_taken[large]
    ]


def fill_figures(size: int, rounds: int = 5) -> list[Figure]:
    """A first fill beside a bare executemany of the same rows."""
    home = make_home(size)
    snapshot = snapshot_of(records_of(home))
    connection = ScriptedConnection(home)
    with tempfile.TemporaryDirectory() as directory, without_garbage_collection():
        folder = Path(directory)
        cases: dict[str, Case] = {
            "bare executemany": lambda: bare_executemany(snapshot, folder),
            "first fill, writing": lambda: write_only(snapshot, folder),
            "first fill, whole pass": lambda: fill(connection, folder),
        }
        taken = anyio.run(take_rounds, cases, rounds)
    text = f"{size:,} entities"
    figures = [
        Figure(name=n, size=text, value=worst_median(s) * 1000, unit="ms", runs=RUNS)
        for n, s in taken.items()
    ]
    for name, budget in FILL_BUDGETS.items():
        value = ratio(taken, name, "bare executemany")
        figures.append(Figure(name=name, size=text, value=value, unit="x bare", budget=budget, runs=RUNS))
    return figures


def memory_figures(size: int) -> list[Figure]:
    """What a cold pass adds to a process at its peak, over the bytes it was answered with."""
    program = [sys.executable, "-m", "bench.passes.peak_memory", str(size)]
    printed = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603
    payload, added = (int(word) for word in printed)
    text = f"{size:,} entities"
    return [
        Figure(name="payload of a cold pass", size=text, value=payload / 2**20, unit="MiB"),
        Figure(name="peak memory above the imports", size=text, value=added / 2**20, unit="MiB"),
        Figure(
            name="peak memory above the imports",
            size=text,
            value=added / payload,
            unit="x payload",
            budget=MEMORY_MAX,
        ),
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, keep, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="entities, comma separated")
    parser.add_argument("--large", action="store_true", help="also with 200,000, which takes minutes")
    given = parser.parse_args(argv)
    sizes = [int(size) for size in given.sizes.split(",")] + [LARGE] * given.large
    all_taken = {size: measure(size) for size in sizes}
    figures = [f for size, taken in all_taken.items() for f in pass_figures(size, taken)]
    if len(sizes) > 1:
        figures += growth_figures(all_taken)
        plot(
            Path(__file__).parents[1] / "cost_against_size.svg",
            {
                name: [(size, median(taken[name]) * 1000) for size, taken in all_taken.items()]
                for name in next(iter(all_taken.values()))
            },
        )
    figures += fill_figures(BUDGET_SIZE) + memory_figures(BUDGET_SIZE)
    publish("passes", figures)


if __name__ == "__main__":
    main()
