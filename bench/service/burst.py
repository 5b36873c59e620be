"""Bursts of events: how long the next change and the service's own answers wait for them.

Input: a recorded home behind a fake core that listens on a loopback socket, and events about entities that are not
there: 20,000 and 60,000 at once, then 50,000 a second for ten seconds, in frames of 500 as Home Assistant coalesces
them. Method: the service is a process of its own; a thread asks `/healthz` all the time; behind the events an area is
renamed, and its end is the moment the row says so. Budget on an idle machine: each answer within 1 s, the change within
1 s of a burst and 2 s of the flood, and no more than 64 MiB of memory grown.

    python -m bench.service.burst
"""

import copy
import math
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import anyio
import anyio.to_thread

from bench.figures import Figure, publish
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant, fake_home_assistant
from tests.service_process import Service
from tests.sources.recorded_homes import DATA, fake_answers

BURSTS = (20_000, 60_000)
FLOOD_PER_SECOND, FLOOD_SECONDS = 50_000, 10
FRAME = 500
WAIT_SECONDS_MAX, FLOOD_WAIT_SECONDS_MAX, GROWTH_MIB_MAX = 1.0, 2.0, 64.0
AREAS, AREA_EVENT, ENTITY_EVENT = (
    "config/area_registry/list",
    "area_registry_updated",
    "entity_registry_updated",
)


class Watched:
    """A service, the core that it follows, and its longest answer."""

    def __init__(self, fake: FakeHomeAssistant, service: Service, folder: Path) -> None:
        self.fake = fake
        self.address = service.wait_until_serving()
        self._pid = service.process.pid
        self._rows = folder / "rows.db"
        self._number = 0
        self.slowest = 0.0

    @contextmanager
    def asked_all_the_time(self) -> Iterator[None]:
        """Ask `/healthz`, and keep the longest wait."""
        self.slowest = 0.0
        done = threading.Event()

        def ask() -> None:
            while not done.wait(0.02):
                began = time.perf_counter()
                try:
                    with urlopen(f"{self.address}/healthz", timeout=60) as answer:  # noqa: S310 (loopback)
                        answer.read()
                except OSError:
                    self.slowest = math.inf
                self.slowest = max(self.slowest, time.perf_counter() - began)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    async def rename(self) -> float:
        """Seconds until the row of an area that was just renamed shows the new name."""
        self._number += 1
        name = f"Renamed {self._number}"
        self.fake.answers[AREAS][0]["name"] = name
        began = time.perf_counter()
        area_id = self.fake.answers[AREAS][0]["area_id"]
        await self.fake.push(AREA_EVENT, {"action": "update", "area_id": area_id})
        with anyio.fail_after(60):
            while not await anyio.to_thread.run_sync(self._has_row, name):  # noqa: ASYNC110 (another process's)
                await anyio.sleep(0.005)
        return time.perf_counter() - began

    def _has_row(self, name: str) -> bool:
        try:
            with closing(sqlite3.connect(f"file:{self._rows}?mode=ro", uri=True, timeout=5)) as rows:
                return bool(rows.execute("SELECT 1 FROM areas WHERE name = ?", (name,)).fetchone())
        except sqlite3.OperationalError:
            return False  # not filled yet

    def memory_mib(self) -> float:
        """What the service holds now."""
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


def removals(first: int, count: int) -> list[dict[str, Any]]:
    """Events about the removal of entities that never existed."""
    return [{"action": "remove", "entity_id": f"light.gone_{first + n}"} for n in range(count)]


async def measure(folder: Path) -> list[Figure]:
    """All figures, of one service."""
    answers = copy.deepcopy(fake_answers(DATA / "2026.11.0" / "rich"))
    figures: list[Figure] = []
    async with fake_home_assistant(answers) as fake:
        service = Service(folder, source=fake.uri, RECONCILE_SOURCE__TOKEN=TOKEN)
        try:
            it = await anyio.to_thread.run_sync(Watched, fake, service, folder)
            await it.rename()
            for count in BURSTS:
                with it.asked_all_the_time():
                    for first in range(0, count, FRAME):
                        await fake.push(ENTITY_EVENT, *removals(first, FRAME))
                    waited = await it.rename()
                figures += _figures(it, waited, f"{count:,} events at once", WAIT_SECONDS_MAX)
            before = it.memory_mib()
            with it.asked_all_the_time():
                most = await _flood(it)
                waited = await it.rename()
            size = f"{FLOOD_PER_SECOND:,} events/s for {FLOOD_SECONDS} s"
            figures += _figures(it, waited, size, FLOOD_WAIT_SECONDS_MAX)
            grown = max(0.0, most - before)
            figures.append(
                Figure(name="memory grown", size=size, value=grown, unit="MiB", budget=GROWTH_MIB_MAX)
            )
        finally:
            service.stop()
    return figures


async def _flood(it: Watched) -> float:
    """Send all the time; returns the most memory that was held."""
    most, began = 0.0, time.perf_counter()
    for number in range(FLOOD_PER_SECOND * FLOOD_SECONDS // FRAME):
        await it.fake.push(ENTITY_EVENT, *removals(number * FRAME, FRAME))
        ahead = began + (number + 1) * FRAME / FLOOD_PER_SECOND - time.perf_counter()
        await anyio.sleep(max(0.0, ahead))
        most = max(most, it.memory_mib())
    return most


def _figures(it: Watched, waited: float, size: str, budget: float) -> list[Figure]:
    return [
        Figure(name="next change mirrored", size=size, value=waited, unit="s", budget=budget),
        Figure(name="/healthz, slowest", size=size, value=it.slowest, unit="s", budget=WAIT_SECONDS_MAX),
    ]


def main() -> None:
    """Measure, print and keep."""
    with tempfile.TemporaryDirectory() as folder:
        publish("burst", anyio.run(measure, Path(folder)))


if __name__ == "__main__":
    main()
