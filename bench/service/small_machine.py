"""The service on a machine like a Raspberry Pi: a quarter of this machine's core, 512 MiB, and a slow disk.

Input: seeded homes behind a fake core that listens on a loopback socket. Method: the service is a process of its own. A
quarter of a core: in each 100 ms it may use 25 ms of processor time and is stopped (SIGSTOP) for the rest, as a cgroup's quota does.
512 MiB: a limit of its private memory (RLIMIT_DATA). The disk: each fsync takes 30 ms longer (`slow_fsync.c`, preloaded), as a
card of a Pi does. First fill: from the start of the process until both stores are in sync. Event to row: from the sent event to
the row. Verifying: from another program's edit of a row until the row is healed, which includes up to 0.5 s until the service looks.

    python -m bench.service.small_machine
"""

import os
import resource
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import anyio
import anyio.to_thread

from bench.figures import Figure, publish
from bench.registries import VERSION
from bench.service.burst import Watched
from bench.service.removal import answers_of, wait_for
from tests.fakes.home_assistant import TOKEN, fake_home_assistant
from tests.service_process import Service

SIZES = (1_300, 20_000)
PERIOD_SECONDS, SHARE = 0.1, 0.25
MEMORY_BYTES = 512 * 2**20
FSYNC_MS = 30
RENAMES, EDITS = 20, 3
RENAME_SECONDS_MAX = {1_300: 1.0, 20_000: 2.0}


@contextmanager
def a_share_of_a_core(pid: int) -> Iterator[None]:
    """Stop the process whenever it has used its share of a period."""
    clock = (~pid << 3) | 2  # the processor time of another process, see clock_getcpuclockid(3)
    done = threading.Event()

    def watch() -> None:
        begun, used = time.monotonic(), time.clock_gettime(clock)
        while not done.wait(0.002):
            if time.clock_gettime(clock) - used >= PERIOD_SECONDS * SHARE:
                os.kill(pid, signal.SIGSTOP)
                # What it used too much of this period it lacks in the next ones.
                over = (time.clock_gettime(clock) - used) / SHARE
                done.wait(max(0.0, begun + max(over, PERIOD_SECONDS) - time.monotonic()))
                os.kill(pid, signal.SIGCONT)
                begun, used = time.monotonic(), time.clock_gettime(clock)
            elif time.monotonic() - begun >= PERIOD_SECONDS:
                begun, used = time.monotonic(), time.clock_gettime(clock)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def slow_disk(folder: Path) -> Mapping[str, str]:
    """The environment of a process whose disk is slow."""
    library = folder / "slow_fsync.so"
    source = Path(__file__).with_name("slow_fsync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)  # noqa: S603, S607
    return {"LD_PRELOAD": str(library), "SLOW_FSYNC_MS": str(FSYNC_MS)}


async def measure(entities: int, folder: Path) -> list[Figure]:
    """All figures of one size."""
    async with fake_home_assistant(answers_of(entities), ha_version=VERSION) as fake:
        began = time.perf_counter()
        service = Service(folder, source=fake.uri, RECONCILE_SOURCE__TOKEN=TOKEN, **slow_disk(folder))
        pid = service.process.pid
        resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        with a_share_of_a_core(pid):
            it = await anyio.to_thread.run_sync(Watched, fake, service, folder)
            await wait_for(it.address, "in_sync")
            filled = time.perf_counter() - began
            waits = [await it.rename() for _ in range(RENAMES)]
            await wait_for(it.address, "in_sync")
            heals = [await anyio.to_thread.run_sync(heal, folder / "rows.db", n) for n in range(EDITS)]
            most = most_mib(pid)
        service.stop()
    text = f"{entities:,} entities"
    budget = RENAME_SECONDS_MAX[entities]
    return [
        Figure(name="first fill", size=text, value=filled, unit="s"),
        Figure(name="event to row, median", size=text, value=median(waits), unit="s"),
        Figure(name="event to row, slowest", size=text, value=max(waits), unit="s", budget=budget),
        Figure(name="verifying, slowest", size=text, value=max(heals), unit="s"),
        Figure(name="most memory", size=text, value=most, unit="MiB", budget=MEMORY_BYTES / 2**20),
    ]


def heal(rows: Path, number: int) -> float:
    """Seconds until a row that another program edits is what Home Assistant has."""
    with closing(sqlite3.connect(rows, timeout=60, isolation_level=None)) as connection:
        edited = f"Edited {number}"
        connection.execute("UPDATE devices SET name = ? WHERE rowid = 1", (edited,))
        began = time.perf_counter()
        while connection.execute("SELECT 1 FROM devices WHERE name = ?", (edited,)).fetchone():
            time.sleep(0.01)
        return time.perf_counter() - began


def most_mib(pid: int) -> float:
    """The most memory that a process ever held."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure, print and keep."""
    figures: list[Figure] = []
    for entities in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            figures += anyio.run(measure, entities, Path(folder))
    publish("small_machine", figures)


if __name__ == "__main__":
    main()
