"""What becomes of the rows file at the hands of other programs, and what one of them reads there.

Each is a process of its own, because connections of one process share what they know of a file. A history plays this
when all is right: the file is replaced, written over, cut off, or loses what is beside it, and whenever the service
says `in_sync` afterwards, a program that opens the path must find the home there.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import trio

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Device, Entity, Record
from engine.core.state.status import replica_status
from engine.replicas.rows.codec import encode_row
from engine.replicas.rows.columns import TABLES
from tests.simulation.engine_room import FRESHNESS, PACE
from tests.simulation.home import ACTIONS

if TYPE_CHECKING:
    from tests.simulation.history import History

# The service notices within its watch, and heals within two seconds.
NOTICED_SECONDS = PACE.watch_seconds + 2.0
_HEALED_SECONDS = PACE.verify_seconds + 2 * PACE.retry_seconds_max
# Times of files are real; what happened before must lie further back than their resolution.
_REAL_SECONDS = 0.05
# Columns that say nothing of whether a row is equal: when it was written, and what records are not compared by.
_UNCOMPARED = {"last_seen", *Record.UNHASHED, *Device.UNHASHED, *Entity.UNHASHED}

_READ = """
import json, sqlite3, sys
tables = json.loads(sys.argv[2])
with sqlite3.connect(f"file:{sys.argv[1]}?mode=rw", uri=True) as file:
    print(json.dumps([[name, *row] for name, columns in tables.items()
                      for row in file.execute(f"SELECT {', '.join(columns)} FROM {name}")]))
"""
_COPY = """
import sqlite3, sys
file, copy = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])
file.backup(copy)
copy.execute("UPDATE devices SET name = 'Mocked'")
copy.execute("DELETE FROM entities WHERE rowid % 2")
copy.commit()
copy.close()
"""
_COLUMNS = {
    table.name: [name for name in table.sql_names if name not in _UNCOMPARED] for table in TABLES.values()
}
# Of these the service says that a person has to look.
DAMAGING = ("cut in half",)
MISFORTUNES = ("copied over", "gone", "lost its log", "renamed over", "truncated", *DAMAGING)


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-S", "-c", script, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def read_outside(path: Path) -> list[str] | None:
    """The rows that another program finds at the path, without the time of each; None when it finds none to read."""
    done = _run(_READ, str(path), json.dumps(_COLUMNS))
    return None if done.returncode else sorted(json.dumps(row) for row in json.loads(done.stdout))


def rows_of_home(truth: Snapshot) -> list[str]:
    """The rows that it must find."""
    rows = []
    for key, record in truth.home.records.items():
        table = TABLES[key.registry]
        values = dict(zip(table.sql_names, encode_row(record, truth.home.derived.get(key), ""), strict=True))
        rows.append(json.dumps([table.name, *(values[name] for name in _COLUMNS[table.name])]))
    return sorted(rows)


def damage(path: Path, what: str, random: Random) -> None:
    """Let one of `MISFORTUNES` happen to the file."""
    time.sleep(_REAL_SECONDS)
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]
    if what in ("copied over", "renamed over"):
        copy = path.with_name("copy.db")
        _run(_COPY, str(path), str(copy)).check_returncode()
        (os.replace if what == "renamed over" else shutil.copyfile)(copy, path)
        copy.unlink(missing_ok=True)
    elif what == "lost its log":
        for file in random.choice([beside, beside[:1], beside[1:]]):
            file.unlink(missing_ok=True)
    elif what == "gone":
        for file in (path, *(beside if random.random() < 0.5 else [])):
            file.unlink(missing_ok=True)
    else:
        os.truncate(path, 0 if what == "truncated" else path.stat().st_size // 2)
    time.sleep(_REAL_SECONDS)


async def suffer(history: "History", path: Path, count: int = 4) -> None:
    """Misfortunes one after the other, and what is said of each."""
    random = Random(history.seed + 0.25)
    for _ in range(count):
        what = random.choice(MISFORTUNES)
        history.note_tampering()
        damage(path, what, random)
        history.log(f"the rows file is {what}" if what != "lost its log" else f"the rows file {what}")
        if random.random() < 0.5:
            history.world.act(random.choice(ACTIONS), random)
        begun = trio.current_time()
        await trio.sleep(NOTICED_SECONDS)
        while trio.current_time() < begun + _HEALED_SECONDS:
            _ask(history, path, what)
            await trio.sleep(random.uniform(1, 30))
        if what in DAMAGING:
            # As the service advises: remove it.
            history.note_tampering()
            for file in path.parent.glob(path.name + "*"):
                file.unlink()
            await trio.sleep(_HEALED_SECONDS)
        if read_outside(path) != rows_of_home(history.world.truth()):
            history.oracle.violate(f"the rows file was {what} and is not healed")


def _ask(history: "History", path: Path, what: str) -> None:
    service = history.engine.service
    assert service is not None, "it is not killed here"
    rows = service.status().replicas[0]
    word = replica_status(rows, history.world.moments.wall(), FRESHNESS)[0]
    if word == "in_sync" and read_outside(path) != rows_of_home(history.world.truth()):
        history.oracle.violate(f"in_sync, and another program does not find the home: the file was {what}")
