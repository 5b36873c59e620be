"""The engine's own passes, in process, over answers that are already here: no socket, all else as it runs.

The source, the reconciler and the controller are the real ones; only the connection is scripted.
"""

import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
import msgspec
import xxhash

from bench.registries import VERSION, Home
from engine.core.compare.plan import Operation
from engine.core.guards.guard import Policy
from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import Intervals
from engine.core.state.report import Report
from engine.core.words import Mode
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.loop.replica_controller import ReplicaController
from engine.pass_cache.contents import Cache
from engine.pass_cache.file import PassCacheFile
from engine.pass_cache.learned import Learned
from engine.ports import Progress, Run, Source
from engine.replicas.rows.replica import SqliteRows
from engine.replicas.sqlite_file.database import ApswFile
from engine.sources.answers.command_results import ENTITY_ENTRIES, ENTITY_LIST, LISTS
from engine.sources.live.websocket import ENTITIES_PER_COMMAND, WebsocketSource

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ENTRIES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NEVER = 1e9  # seconds


class ScriptedConnection:
    """Answers commands with a home's bytes; answers to get_entries are made once and kept."""

    ha_version = VERSION

    def __init__(self, home: Home) -> None:
        self._home = home
        self._entries: dict[tuple[str, str, int], msgspec.Raw] = {}

    async def command(self, command_type: str, /, **params: object) -> msgspec.Raw:
        """The answer, as the connection hands it on: undecoded."""
        if command_type != ENTITY_ENTRIES:
            return msgspec.Raw(self._home.answers[command_type])
        ids = cast("list[str]", params["entity_ids"])
        name = (ids[0], ids[-1], len(ids))  # enough to distinguish the few requests of a benchmark
        if name not in self._entries:
            self._entries[name] = msgspec.Raw(self._home.entries(ids))
        return self._entries[name]


class ScriptedSource(Source):
    """A source that reads through a scripted connection, with the caches of its first use."""

    origin = "bench"

    def __init__(self) -> None:
        self._source = WebsocketSource("ws://bench", "token")
        self.connection: ScriptedConnection

    async def read(self, progress: Progress) -> Snapshot:
        """Read every registry."""
        return await self._source.read_from(self.connection, progress)


class CommandSource(ScriptedSource):
    """The same as a command reads it: it can begin with a cache."""

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Begin with what an earlier process learned."""
        return self._source.recall(cache)

    def has_learned(self) -> bool:
        """Whether there is anything that the cache does not have yet."""
        return self._source.has_learned()

    def learned(self) -> Learned | None:
        """What the last read learned."""
        return self._source.learned()


class TimedRows(SqliteRows):
    """Rows that note when they were last committed."""

    def __init__(self, path: Path) -> None:
        super().__init__(ApswFile("sqlite", path), changes_max=50_000, tombstone_days=30)
        self.committed_at = 0.0

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        """Carry out all operations and note when that was done."""
        super().apply(operations, run)
        self.committed_at = time.perf_counter()


class KeptReplica:
    """A running controller of the rows in a file, and the source it is fed from: the service without its socket."""

    def __init__(self, rows: SqliteRows, source: ScriptedSource) -> None:
        self._source = source
        self.started_at = self._shift = 0.0
        self._snapshot: Snapshot | None = None
        self._reported = anyio.Event()
        self._report: Report | None = None
        self._ended_at = 0.0
        self.controller = ReplicaController(
            replica=rows,
            ledger=rows,
            intervals=Intervals(verify_seconds=_NEVER, watch_seconds=60),
            make_options=lambda verify: pass_options(verify=verify),
            clock=time.time,
            draw=lambda: 0.5,
            calendar=lambda: Calendar(shift=self._shift),
        )

    async def verify(self) -> float:
        """Look at every row again, as the service does from time to time; returns the seconds of that."""
        self._reported = anyio.Event()
        self._shift += 1_000.0  # a clock that was set is the one reason that can be given from here
        self.started_at = time.perf_counter()
        assert self._snapshot is not None, "it is compared with what was read before"
        self.controller.offer(self._snapshot)
        await self._reported.wait()
        return self._ended_at - self.started_at

    async def relist(self, connection: ScriptedConnection) -> float:
        """Read everything again and wait for the pass; returns the seconds of both."""
        self._source.connection = connection
        self._reported = anyio.Event()
        self.started_at = time.perf_counter()
        self._snapshot = await self._source.read(silent)
        self.controller.offer(self._snapshot)
        await self._reported.wait()
        assert self._report is not None
        assert self._report.status == "in_sync", self._report.errors
        return self._ended_at - self.started_at

    def on_waiting(self, at: float) -> None:
        """Nothing is deleted here."""

    def on_report(self, report: Report) -> None:
        """The pass that was waited for ended."""
        self._ended_at = time.perf_counter()
        self._report = report
        self._reported.set()


@asynccontextmanager
async def kept(rows: SqliteRows, source: ScriptedSource) -> AsyncIterator[KeptReplica]:
    """A controller that runs until the block ends. Its first pass verifies."""
    replica = KeptReplica(rows, source)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replica.controller.run, replica)
        yield replica
        tasks.cancel_scope.cancel()


async def cold_pass(connection: ScriptedConnection, file: Path, *, until_commit: bool = False) -> float:
    """One pass of a process that begins, as `reconcile` makes it; returns its seconds, or those until it committed."""
    source = CommandSource()
    source.connection = connection
    started = time.perf_counter()
    rows = TimedRows(file)
    made = Reconciler(source, [rows], rows, time.time, silent, cache=PassCacheFile(file))
    report = await made.run(pass_options(verify=True))
    rows.close()
    seconds = time.perf_counter() - started
    assert report.status == "in_sync", report.errors
    return rows.committed_at - started if until_commit else seconds


def pass_options(*, verify: bool) -> PassOptions:
    """A writing pass over everything. Deletes need no second look, so that one pass does the whole job."""
    return PassOptions(
        mode=Mode.APPLY,
        policy=Policy(delete_confirm_seconds=0),
        registries=frozenset(REGISTRIES),
        run_id=f"bench-{time.perf_counter_ns()}",
        site="bench",
        verify=verify,
    )


def tokenise(home: Home) -> int:
    """The floor of a warm read: split the lists into undecoded rows, and hash their bytes once."""
    rows = 0
    for command in (ENTITY_LIST, *LISTS.values()):
        answer = home.answers[command]
        xxhash.xxh3_128_digest(answer)
        rows += len(_ROWS.decode(answer))
    return rows


def tokenise_entries(answers: list[bytes]) -> int:
    """What a first read has on top: the same for the extended rows."""
    rows = 0
    for answer in answers:
        xxhash.xxh3_128_digest(answer)
        rows += len(_ENTRIES.decode(answer))
    return rows


def entries_answers(home: Home) -> list[bytes]:
    """All answers of get_entries, cut as the engine asks for them."""
    ids, step = list(home.extended), ENTITIES_PER_COMMAND
    return [home.entries(ids[start : start + step]) for start in range(0, len(ids), step)]


def copy_rows(file: Path, to: Path) -> Path:
    """A copy of a closed rows file."""
    shutil.copyfile(file, to)
    return to


def silent(what: str, done: int, total: int | None) -> None:
    """A benchmark shows no progress."""
