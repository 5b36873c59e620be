"""What the benchmarks of the API share: a home that is written once, and the application, called without a socket."""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from api.app_context import AppContext
from api.changes.feed import ChangeFeed
from api.ports import Timeline
from bench.driving import ScriptedConnection, cold_pass
from bench.registries import READ_AT, make_home
from engine.core.state.intervals import Freshness
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import SyncStatus
from engine.replicas.rows.queries.in_memory import rows_in_memory
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader


def parse_entities(description: str | None, argv: Sequence[str] | None) -> int:
    """The size of the home that the command line asks for, in entities."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entities", type=int, default=20_000)
    entities: int = parser.parse_args(argv).entities
    return entities


@contextmanager
def written_home(entities: int) -> Iterator[Path]:
    """The rows file of a seeded home, in a folder that is removed when the block ends."""
    with tempfile.TemporaryDirectory() as directory:
        rows = Path(directory) / "rows.db"
        anyio.run(cold_pass, ScriptedConnection(make_home(entities)), rows)
        yield rows


def context_over(rows_reader: SqliteRowsReader, timeline: Timeline | None = None) -> AppContext:
    """What the application is given: the rows of a file that is in sync, and the past."""
    replicas = (ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=READ_AT, compared_at=READ_AT),)
    status = Status("home", "0", READ_AT, SourceStatus("capture:x", True, last_message_at=READ_AT), replicas)
    return AppContext(
        status=lambda: status,
        clock=lambda: READ_AT,
        rows_reader=rows_reader,
        feed=ChangeFeed(rows_reader),
        freshness=Freshness(1200.0, 60.0),
        timeline=timeline,
        make_rows=rows_in_memory,
    )


async def get(app: Any, target: str) -> bytes:
    """The body of the response to a request as uvicorn passes it on."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
    }
    parts = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
        parts.append(message.get("body", b""))

    async def receive() -> dict[str, str]:
        await anyio.sleep_forever()
        raise AssertionError

    await app(scope, receive, send)
    return b"".join(parts)
