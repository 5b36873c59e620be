"""The page: the server's cost of one response, and the bytes that a browser loads.

    python -m bench.api.bench_page [--entities 20000]

Input: a seeded home, written once; the application as the service builds it, called in process, without a socket.
Method: CPU of the whole process, worker thread included, medians of rounds. *After a commit*: the caches are out of
date, so the home is read again; the first response of a process costs the same.
"""

import gzip
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import anyio
import apsw

from api.app import build_app
from api.app_context import AppOptions, only
from api.page.templates import STATIC
from bench.api.stand import context_over, get, parse_entities, written_home
from bench.figures import Figure, publish
from bench.registries import READ_AT
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader

CPU_MS_MAX, WEIGHT_KB_MAX = 20.0, 30.0
ROUNDS = 30
_LEVEL = 1  # of the compression that the service uses


async def measure(rows: Path) -> dict[str, float]:
    """CPU milliseconds by case, and the page's weight."""
    rows_reader = SqliteRowsReader(rows)
    context = context_over(rows_reader)
    app = build_app(only(context), AppOptions())
    await context.activity.look(context.status, rows_reader, READ_AT)
    other = apsw.Connection(str(rows))

    async def cpu_ms(target: str, *, is_committed: bool = False) -> float:
        taken = []
        for number in range(ROUNDS + 1):
            if is_committed:
                other.execute("UPDATE devices SET sw_version = ? WHERE rowid = 1", (str(number),))
            before = time.process_time()
            await get(app, target)
            if number or is_committed:
                taken.append((time.process_time() - before) * 1000)
        return median(taken)

    front = await get(app, "/")
    loaded = [front, *STATIC.values()]
    figures = {
        "page after a commit": await cpu_ms("/", is_committed=True),
        "page without a commit": await cpu_ms("/"),
        "page, the live part": await cpu_ms("/live"),
        "page, a search": await cpu_ms("/home?q=kitchen+power"),
        "weight": sum(len(gzip.compress(part, _LEVEL)) for part in loaded) / 1000,
    }
    other.close()
    await rows_reader.aclose()
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    entities = parse_entities(__doc__, argv)
    with written_home(entities) as rows:
        taken = anyio.run(measure, rows)
    weight = taken.pop("weight")
    text = f"{entities:,} entities"
    figures = [
        Figure(
            name=f"{name}, CPU",
            size=text,
            value=ms,
            unit="ms",
            budget=None if name == "page, a search" else CPU_MS_MAX,
        )
        for name, ms in taken.items()
    ]
    figures.append(
        Figure(
            name="page, all that is loaded, compressed",
            size=text,
            value=weight,
            unit="kB",
            budget=WEIGHT_KB_MAX,
        )
    )
    publish("page", figures)


if __name__ == "__main__":
    main()
