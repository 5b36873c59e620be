"""A removal of 10,000 entities, allowed by the user beside the running service: how long other work waits for it.

Input: a seeded home of 20,000 entities behind a fake core that listens on a loopback socket; half of them vanish from its
list while the service is away from it, so a guard holds the deletes. Method: `reconcile --max-delete` runs as a process of
its own beside the service; meanwhile an area is renamed again and again. A change begins when its event was sent, and ends when its
row says so to a process that does nothing but look, because the one that plays the core is busy with the command's full read. Budget on an idle machine: each change within 1 s; both replicas in sync within 5 s of the pass that removed.

    python -m bench.service.removal
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import anyio
import anyio.to_thread

from bench.figures import Figure, publish
from bench.registries import VERSION, make_home
from bench.service.burst import AREA_EVENT, AREAS, Watched
from engine.sources.answers.command_results import ENTITY_ENTRIES, ENTITY_LIST
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant, fake_home_assistant
from tests.service_process import Service

ENTITIES, REMOVED = 20_000, 10_000
CHANGE_SECONDS_MAX, SETTLED_SECONDS_MAX = 1.0, 5.0
_WAIT_SECONDS_MAX = 180
_ALLOWED = ("--max-delete", str(ENTITIES), "--confirm-deletes", "--quiet")
_CONFIRM = {"RECONCILE_PLAN__DELETE_CONFIRM_SECONDS": "1"}


def answers_of(entities: int) -> dict[str, Any]:
    """What the fake core answers with."""
    home = make_home(entities)
    rows = {id_: json.loads(bytes(row)) for id_, row in home.extended.items()}

    def entries(params: dict[str, Any]) -> dict[str, Any]:
        return {id_: rows[id_] for id_ in params["entity_ids"] if id_ in rows}

    return {command: json.loads(answer) for command, answer in home.answers.items()} | {
        ENTITY_ENTRIES: entries
    }


def statuses(address: str) -> set[str]:
    """What the service says of its replicas."""
    with urlopen(f"{address}/api/status", timeout=60) as answer:  # noqa: S310 (loopback)
        return {replica["status"] for replica in json.loads(answer.read())["replicas"]}


class Onlooker:
    """A process that says when the name of the area that is renamed changes in its row."""

    def __init__(self, fake: FakeHomeAssistant, rows: Path) -> None:
        self._fake = fake
        self._area = fake.answers[AREAS][0]
        command = [sys.executable, "-m", "bench.service.removal", "--look", str(rows), self._area["area_id"]]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self._number = 0

    async def rename(self) -> float:
        """Seconds from the sent event to the row."""
        self._number += 1
        name = self._area["name"] = f"Renamed {self._number}"
        await self._fake.push(AREA_EVENT, {"action": "update", "area_id": self._area["area_id"]})
        sent_at = time.time()
        with anyio.fail_after(_WAIT_SECONDS_MAX):
            while True:
                at, _, found = (await anyio.to_thread.run_sync(self._line)).partition(" ")
                if found == name:
                    return float(at) - sent_at

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def look(rows: str, area_id: str) -> None:
    """Print the time and the name whenever the row has another name, for ever."""
    known = ""
    with closing(sqlite3.connect(f"file:{rows}?mode=ro", uri=True, timeout=5)) as connection:
        while True:
            (name,) = connection.execute("SELECT name FROM areas WHERE area_id = ?", (area_id,)).fetchone()
            if name != known:
                print(time.time(), name, flush=True)
                known = name
            time.sleep(0.002)


async def wait_for(address: str, status: str) -> float:
    """Seconds until every replica has that status."""
    began = time.perf_counter()
    with anyio.fail_after(_WAIT_SECONDS_MAX):
        while await anyio.to_thread.run_sync(statuses, address) != {status}:  # noqa: ASYNC110 (another process's)
            await anyio.sleep(0.02)
    return time.perf_counter() - began


async def measure(folder: Path) -> list[Figure]:
    """All figures, of one service."""
    async with fake_home_assistant(answers_of(ENTITIES), ha_version=VERSION) as fake:
        service = Service(folder, source=fake.uri, RECONCILE_SOURCE__TOKEN=TOKEN, **_CONFIRM)
        try:
            it = await anyio.to_thread.run_sync(Watched, fake, service, folder)
            await wait_for(it.address, "in_sync")
            fake.answers[ENTITY_LIST] = fake.answers[ENTITY_LIST][REMOVED:]
            await fake.disconnect()
            await wait_for(it.address, "blocked")
            waits, settled = await _allow(fake, it, folder)
        finally:
            service.stop()
    size = f"{REMOVED:,} of {ENTITIES:,} entities removed"
    return [
        Figure(
            name="change meanwhile, slowest", size=size, value=max(waits), unit="s", budget=CHANGE_SECONDS_MAX
        ),
        Figure(name="in sync after the pass", size=size, value=settled, unit="s", budget=SETTLED_SECONDS_MAX),
    ]


async def _allow(fake: FakeHomeAssistant, it: Watched, folder: Path) -> tuple[list[float], float]:
    """Remove them; returns the seconds of each change meanwhile, and until everything was settled."""
    given = {"RECONCILE_SOURCE__URI": fake.uri, "RECONCILE_SOURCE__TOKEN": TOKEN, **_CONFIRM}
    stores = ("--rows", str(folder / "rows.db"), "--records", f"history:{folder / 'history.db'}")
    argv = (sys.executable, "-m", "engine", *_ALLOWED, *stores)
    waits: list[float] = []
    onlooker = Onlooker(fake, folder / "rows.db")
    ended = anyio.Event()
    settled = 0.0

    async def remove() -> None:
        nonlocal settled
        done = await anyio.run_process(argv, check=False, env=os.environ | given, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        settled = await wait_for(it.address, "in_sync")
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(remove)
        while not ended.is_set():
            waits.append(await onlooker.rename())
            await anyio.sleep(0.05)
    onlooker.close()
    return waits, settled


def main() -> None:
    """Measure, print and keep."""
    if sys.argv[1:2] == ["--look"]:
        look(*sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        publish("removal", anyio.run(measure, Path(folder)))


if __name__ == "__main__":
    main()
