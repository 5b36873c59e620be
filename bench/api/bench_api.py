"""The API's queries: the server's cost of each.

    python -m bench.api.bench_api [--entities 20000]

Input: a seeded home, written once, and beside it a record with 200,000 versions; the application as the service builds it,
called in process, without a socket. Method: CPU of the whole process, worker thread included, the worst of three requests
with different queries, so that no cached response serves one. *Behind a commit*: the caches are out of date, so all texts
are read again.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import apsw
import msgspec

from api.app import build_app
from api.app_context import AppOptions, only
from bench.api.stand import context_over, get, parse_entities, written_home
from bench.figures import Figure, publish
from bench.stores.history_growth import KEY, REVISIONS, grow_by_passes, lengthen
from engine.replicas.history.replica import open_history
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader

SEARCH_MS_MAX, LIST_MS_MAX, HISTORY_MS_MAX = 10.0, 250.0, 20.0
ROUNDS = 3
_WORDS = ("kitchen+power", "bedroom+battery", "office+motion")


class _Page(msgspec.Struct):
    """The part of a page that a client needs to request the next one; decoding the rest would be the client's time."""

    next: str | int | None = None


async def measure(rows: Path, history: Path) -> dict[str, float]:
    """CPU milliseconds by request."""
    rows_reader, timeline = SqliteRowsReader(rows), open_history(history, read_only=True)
    app = build_app(only(context_over(rows_reader, timeline)), AppOptions())
    other = apsw.Connection(str(rows))

    async def ask(target: str) -> str | None:
        """Where the next page begins, None on the last."""
        following = msgspec.json.decode(await get(app, target), type=_Page).next
        return None if following is None else str(following)

    async def ask_for_all(target: str) -> None:
        following = await ask(target)
        while following is not None:
            following = await ask(f"{target}&after={following}")

    async def commit(number: int) -> None:
        other.execute("UPDATE devices SET sw_version = ? WHERE rowid = 1", (str(number),))

    async def worst(
        asked: Callable[[str], Awaitable[object]], targets: Sequence[str], *, is_behind_commit: bool = False
    ) -> float:
        taken = []
        for number, target in enumerate(targets):
            if is_behind_commit:
                await commit(number)
            before = time.process_time()
            await asked(target)
            taken.append((time.process_time() - before) * 1000)
        return max(taken)

    searches = [f"/api/entities?q={words}" for words in _WORDS]
    # Two pages, each too large to be kept as an answer.
    every = ["/api/entities?limit=10000"] * ROUNDS
    versions = [f"/api/entities/{KEY.id}/history?after={REVISIONS // 2 + n}" for n in range(ROUNDS)]
    figures = {
        "a search, behind a commit": await worst(ask, searches, is_behind_commit=True),
        "a search": await worst(ask, [f"{target}&limit=99" for target in searches]),
        "all entities, in two pages": await worst(ask_for_all, every),
        "all facets, behind a commit": await worst(
            ask, ["/api/facets?registry=entity"] * 3, is_behind_commit=True
        ),
        "a page of a long history": await worst(ask, versions),
    }
    other.close()
    timeline.close()
    await rows_reader.aclose()
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    entities = parse_entities(__doc__, argv)
    with written_home(entities) as rows:
        (rows.parent / "long").mkdir()
        history, _ = grow_by_passes(rows.parent / "long")
        lengthen(history)
        taken = anyio.run(measure, rows, history)
    budgets = {
        "a search": SEARCH_MS_MAX,
        "all entities, in two pages": LIST_MS_MAX,
        "a page of a long history": HISTORY_MS_MAX,
    }
    long = f"{REVISIONS:,} versions of one record"
    publish(
        "api",
        [
            Figure(
                name=f"{name}, CPU",
                size=long if "history" in name else f"{entities:,} entities",
                value=ms,
                unit="ms",
                budget=budgets.get(name),
            )
            for name, ms in taken.items()
        ],
    )


if __name__ == "__main__":
    main()
