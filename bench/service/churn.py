"""Memory of the service while a home changes all the time: it must not grow.

    python -m bench.service.churn [--minutes 60] [--entities 1300]

Input: a real Home Assistant (`python -m tests.real.installation`) with the demo home and N entities more. Method:
`reconcile serve` runs beside it as a process. Five renames a second through Home Assistant's API; every ten
seconds another program edits a row, which is healed; every five seconds the page is read, the devices and the
metrics. Resident memory is read every minute. Growth is the mean of the last quarter over that of the second:
the first has caches filling. Budget: at most 2 % in an hour.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import mean

import anyio
import anyio.to_thread
import apsw

from bench.figures import Figure, publish
from bench.service.bench_processes import Process, service
from engine.sources.live.connection import open_connection
from tests.real.home_assistant import HomeAssistant, running_home_assistant
from tests.real.installation import find_installation

GROWTH_MAX = 1.02
ENTITY = "light.bed_light"
_RENAME_SECONDS, _READ_SECONDS, _EDIT_SECONDS, _SAMPLE_SECONDS = 0.2, 5.0, 10.0, 60.0


async def churn(core: HomeAssistant, process: Process, rows: Path, minutes: float) -> list[float]:
    """MiB, a sample a minute."""
    samples: list[float] = []
    until = time.monotonic() + minutes * 60

    async def rename() -> None:
        number = 0
        async with open_connection(core.url, core.token) as admin:
            while time.monotonic() < until:
                number += 1
                await admin.command(
                    "config/entity_registry/update", entity_id=ENTITY, name=f"Name {number % 1000}"
                )
                await anyio.sleep(_RENAME_SECONDS)

    async def every(seconds: float, act: partial[None]) -> None:
        while time.monotonic() < until:
            await anyio.sleep(seconds)
            await anyio.to_thread.run_sync(act)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rename)
        tasks.start_soon(every, _READ_SECONDS, partial(_read, process))
        tasks.start_soon(every, _EDIT_SECONDS, partial(_edit, rows))
        tasks.start_soon(every, _SAMPLE_SECONDS, partial(_sample, process, samples))
    return samples


def _read(process: Process) -> None:
    process.hang_up()  # a connection at rest is closed over there
    for path in ("/", "/api/devices?limit=100", "/metrics"):
        process.get(path)


def _edit(rows: Path) -> None:
    connection = apsw.Connection(str(rows))
    connection.set_busy_timeout(30_000)
    connection.execute("UPDATE devices SET model = 'Mocked' WHERE rowid = 1")
    connection.close()


def _sample(process: Process, samples: list[float]) -> None:
    samples.append(process.memory_bytes() / 2**20)


def figures_of(samples: list[float], text: str) -> list[Figure]:
    """How much it held, and how much it grew."""
    quarter = len(samples) // 4
    early, late = mean(samples[quarter : 2 * quarter]), mean(samples[-quarter:])
    return [
        Figure(name="service in churn, memory early", size=text, value=early, unit="MiB"),
        Figure(name="service in churn, memory late", size=text, value=late, unit="MiB"),
        Figure(
            name="service in churn, growth", size=text, value=late / early, unit="x early", budget=GROWTH_MAX
        ),
    ]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--entities", type=int, default=1300)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        running_home_assistant(find_installation().python, Path(directory) / "core") as core,
    ):
        core.add_bulk(name="Bulk", devices=given.entities // 10, entities=10)
        folder = Path(directory)
        with service(folder, core.url, RECONCILE_SOURCE__TOKEN=core.token) as process:
            samples = anyio.run(churn, core, process, folder / "rows.db", given.minutes)
    text = f"{given.entities:,} entities, {given.minutes:g} min"
    publish("churn", figures_of(samples, text))


if __name__ == "__main__":
    main()
