"""The same job by other means: bring a SQLite mirror up to date when 1 % of the entities changed, deletes included.

    python -m bench.passes.bench_side_by_side [--entities 20000] [--slow]

Input: a seeded home and the same with 1 % changed (of these every 20th deleted and another added), in turn.
Method: each begins with the answers' bytes and ends with the commit; the rivals decode with msgspec too. Ours
also keeps a change feed and a ledger, reads back what it wrote, and in the cold pass reads every row. Python looks for
reference cycles as in the program: seldom in the service, not at all in a command, as ever in the others.
Budget: the running service is 25 times as fast as the best of the others, a new process 5 times.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import anyio
import apsw

from bench.driving import ScriptedConnection, ScriptedSource, TimedRows, cold_pass, kept
from bench.figures import RUNS, Case, Figure, publish, take_rounds, worst_median
from bench.passes.rivals import RIVALS, SLOW, Rows, rows_of
from bench.registries import Home, make_home
from engine.process.garbage_collection import rare_garbage_collection, without_garbage_collection

FASTER_MIN = {"service": 25.0, "one-shot": 5.0}
SERVICE, ONE_SHOT = "ours, running service", "ours, one pass of a new process"


def alternating(homes: tuple[Home, Home], update: Callable[[Rows], None]) -> Case:
    """A rival's case: decode and write, one home after the other."""
    turn = 0

    async def case() -> float:
        nonlocal turn
        turn = 1 - turn
        started = time.perf_counter()
        update(rows_of(homes[turn]))
        return time.perf_counter() - started

    return case


async def measure(
    homes: tuple[Home, Home], folder: Path, rounds: int, rivals: Sequence[str]
) -> dict[str, list[float]]:
    """Seconds by way."""
    connections = tuple(map(ScriptedConnection, homes))
    updates = {name: RIVALS[name](folder / f"{number}.db") for number, name in enumerate(rivals)}
    for update in updates.values():
        update(rows_of(homes[0]))
    # What the rivals keep in memory is not for our garbage collections to walk.
    gc.collect()
    gc.freeze()
    cases = {name: alternating(homes, update) for name, update in updates.items()}
    await cold_pass(connections[0], folder / "cold.db")
    await cold_pass(connections[0], folder / "warm.db")
    rows = TimedRows(folder / "warm.db")
    turns = {SERVICE: 0, ONE_SHOT: 0}
    async with kept(rows, ScriptedSource()) as replica:
        await replica.relist(connections[0])

        async def service() -> float:
            turns[SERVICE] = 1 - turns[SERVICE]
            with rare_garbage_collection():
                await replica.relist(connections[turns[SERVICE]])
            return rows.committed_at - replica.started_at

        async def one_shot() -> float:
            turns[ONE_SHOT] = 1 - turns[ONE_SHOT]
            with without_garbage_collection():
                return await cold_pass(connections[turns[ONE_SHOT]], folder / "cold.db", until_commit=True)

        taken = await take_rounds({SERVICE: service, ONE_SHOT: one_shot, **cases}, rounds)
    rows.close()
    _check(folder, homes[rounds % 2 ^ 1])
    return taken


def _check(folder: Path, home: Home) -> None:
    """A fast one must also have done the job: the same entities in every file that has one table of them."""
    wanted = sorted(row["id"] for row in rows_of(home)["entity"])
    tables = {
        "0.db": "entity",
        "1.db": "entity",
        "2.db": "entity",
        "cold.db": "entities",
        "warm.db": "entities",
    }
    for file, table in tables.items():
        connection = apsw.Connection(str(folder / file))
        found = sorted(id_ for (id_,) in connection.execute(f"SELECT id FROM {table}"))  # noqa: S608 (our name)
        assert found == wanted, file
        connection.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true", help="also what takes half a minute per round")
    given = parser.parse_args(argv)
    rivals = [name for name in RIVALS if given.slow or name not in SLOW]
    homes = (make_home(given.entities), make_home(given.entities, changed=0.01))
    with tempfile.TemporaryDirectory() as directory:
        taken = anyio.run(measure, homes, Path(directory), given.rounds, rivals)
    text = f"{given.entities:,} entities, 1 % changed"
    figures = [
        Figure(name=n, size=text, value=worst_median(s) * 1000, unit="ms", runs=RUNS)
        for n, s in taken.items()
    ]
    best = min(rivals, key=lambda name: median(taken[name]))
    for name in (SERVICE, ONE_SHOT):
        faster = worst_median([b / o for b, o in zip(taken[best], taken[name], strict=True)], at_least=True)
        budget = FASTER_MIN["service" if name == SERVICE else "one-shot"]
        figures.append(
            Figure(
                name=name,
                size=text,
                value=faster,
                unit="x as fast as the best other",
                budget=budget,
                at_least=True,
                runs=RUNS,
                note=best,
            )
        )
    publish("side_by_side", figures)


if __name__ == "__main__":
    main()
