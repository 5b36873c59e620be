"""Whole processes: how long a user at the terminal waits, and the service's load on a machine.

    python -m bench.service.bench_processes [--entities 20000] [--idle-seconds 30]

Input: the recorded home of `ops/sample` for one-shot commands; a seeded home, as a recording, for the service.
Method: medians of processes started one after the other; the service's CPU and memory from Linux's /proc, its
requests over one kept connection. A service at rest looks at its recording every 5 s and at its stores every 0.5 s.
"""

import argparse
import asyncio
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import msgspec

from bench.figures import RESULTS, RUNS, Case, Figure, publish, take_rounds, worst_median
from bench.registries import capture_files, make_home, recorded

ROOT = Path(__file__).parents[2]
SAMPLE = f"capture:{ROOT / 'ops' / 'sample' / 'home-2026.11'}"
HELP_MS_MAX, NO_OP_MS_MAX = 35.0, 120.0
PROCESS_ROUNDS, LARGE_ROUNDS, REQUESTS = 15, 9, 200
LARGE_MS_MAX = {"one-shot, nothing to do": 250.0, "one-shot, 1 % changed": 450.0}
FILLED_MIB_MAX, REST_MIB_MAX = 110.0, 85.0
SMALL_ENTITIES, SMALL_REST_MIB_MAX = 1_300, 45.0
IDLE_PERCENT_MAX = 0.5
_READY_SECONDS_MAX = 120.0
_FILL_SECONDS = 45.0  # everything is read once more when the pass cache is written
_SETTLE_SECONDS = 20.0  # free memory is given back 3, 6, 9 and 15 s after the start
_CALM_SECONDS, _CALM_CPU_SECONDS_MAX, _RETURN_SECONDS = 5.0, 0.2, 60.0  # and later each minute
_TICKS = os.sysconf("SC_CLK_TCK")


class _Line(msgspec.Struct):
    """What of a log line is looked at."""

    event: str = ""
    api: str = ""


class Process:
    """A running service, seen from outside."""

    def __init__(self, pid: int, address: str) -> None:
        self._pid = pid
        target = urlsplit(address)
        assert target.hostname is not None
        self._connection = http.client.HTTPConnection(target.hostname, target.port, timeout=30)

    def get(self, path: str) -> bytes:
        """The body of an answer."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    def hang_up(self) -> None:
        """The next request opens a new connection."""
        self._connection.close()

    def cpu_seconds(self) -> float:
        """What it has used so far, user and system."""
        fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def settle(self, wait: float) -> None:
        """Wait until it has done what follows a start, however long that takes on a busy machine, and gave back memory."""
        while wait:
            time.sleep(wait)
            before = self.cpu_seconds()
            time.sleep(_CALM_SECONDS)
            wait = _RETURN_SECONDS if self.cpu_seconds() - before > _CALM_CPU_SECONDS_MAX else 0.0

    def memory_bytes(self, name: str = "VmRSS") -> int:
        """What it holds now, or with VmHWM what it held at most."""
        lines = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024


def run(*argv: str) -> None:
    """One process to its end."""
    subprocess.run([sys.executable, *argv], check=True, capture_output=True, cwd=ROOT, env=environment())  # noqa: S603


def environment() -> dict[str, str]:
    """The environment without anybody's settings of this program; with bytecode, as an installed program has it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RECONCILE_", "SUPERVISOR_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    kept["RECONCILE_PLAN__DELETE_CONFIRM_SECONDS"] = "0"  # one pass does the whole job
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(RESULTS / "bytecode")}


async def one_shot(folder: Path) -> dict[str, list[float]]:
    """Seconds of whole processes, an empty interpreter among them."""
    stores = ("--rows", str(folder / "rows.db"), "--records", f"history:{folder / 'history.db'}")
    commands = {
        "python -c pass": ("-c", "pass"),
        "reconcile --help": ("-m", "engine", "--help"),
        "one-shot pass over the sample, nothing to do": ("-m", "engine", "--source", SAMPLE, *stores),
    }
    return await take_rounds({name: partial(_timed, argv) for name, argv in commands.items()}, PROCESS_ROUNDS)


async def large_one_shot(folder: Path, entities: int) -> dict[str, list[float]]:
    """Seconds of whole processes over an unchanged recording and over one with 1 % changed, alternating."""
    for name, changed in (("first", 0.0), ("second", 0.01)):
        (folder / name).mkdir()
        for file, body in capture_files(make_home(entities, changed=changed)).items():
            (folder / name / file).write_bytes(body)
    stores = ("--records", "none")
    turn = 0

    async def unchanged() -> float:
        _point(folder / "same", "first")
        return await _timed(
            (
                *("-m", "engine", "--source", f"capture:{folder / 'same'}"),
                *("--rows", str(folder / "same.db"), *stores),
            )
        )

    async def one_percent() -> float:
        nonlocal turn
        turn = 1 - turn
        _point(folder / "changing", ("first", "second")[turn])
        return await _timed(
            (
                *("-m", "engine", "--source", f"capture:{folder / 'changing'}"),
                *("--rows", str(folder / "changing.db"), *stores),
            )
        )

    cases: dict[str, Case] = {"one-shot, nothing to do": unchanged, "one-shot, 1 % changed": one_percent}
    return await take_rounds(cases, LARGE_ROUNDS)


def _point(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


async def _timed(argv: tuple[str, ...]) -> float:
    started = time.perf_counter()
    await asyncio.to_thread(run, *argv)
    return time.perf_counter() - started


@contextmanager
def service(folder: Path, source: str, **variables: str) -> Iterator[Process]:
    """`reconcile serve` over a source, ready, until the block ends."""
    given = {"RECONCILE_HTTP__PORT": "0", "RECONCILE_LOG__FORMAT": "json", **variables}
    argv = ["-m", "engine", "serve", "--source", source]
    argv += ["--rows", str(folder / "rows.db"), "--records", f"history:{folder / 'history.db'}"]
    log = folder / "log"
    with log.open("wb") as output:
        started = subprocess.Popen(  # noqa: S603
            [sys.executable, *argv], stderr=output, cwd=folder, env=environment() | given
        )
    try:
        process = Process(started.pid, _address(log))
        _wait_until(lambda: b'"status":"in_sync"' in process.get("/api/status").replace(b" ", b""))
        yield process
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(30)


def service_figures(entities: int, idle_seconds: float) -> list[Figure]:
    """Memory, idle CPU, and the cost of requests."""
    text = f"{entities:,} entities"
    figures = []
    with recorded(entities) as folder:
        source = f"capture:{folder / 'recording'}"
        with service(folder, source) as process:
            process.settle(_FILL_SECONDS)
            figures += memory_figures(process, "after a first fill", text, budget=FILLED_MIB_MAX)
        with service(folder, source) as process:
            process.settle(_SETTLE_SECONDS)
            figures += memory_figures(process, "at rest", text, budget=REST_MIB_MAX)
            before = process.cpu_seconds()
            time.sleep(idle_seconds)
            used = (process.cpu_seconds() - before) / idle_seconds * 100
            name, unit = "service, idle CPU", "% of a core"
            figures.append(Figure(name=name, size=text, value=used, unit=unit, budget=IDLE_PERCENT_MAX))
            for path in ("/metrics", "/api/devices?limit=100", "/api/status", "/api/entities?limit=100"):
                figures += request_figures(process, path, text)
    return figures


def small_service_figures() -> list[Figure]:
    """Memory at rest where the home is small, so that it is mostly what the program itself takes."""
    with recorded(SMALL_ENTITIES) as folder:
        source = f"capture:{folder / 'recording'}"
        with service(folder, source) as process:
            process.settle(_SETTLE_SECONDS)  # it leaves its cache
        with service(folder, source) as process:
            process.settle(_SETTLE_SECONDS)
            text = f"{SMALL_ENTITIES:,} entities"
            return memory_figures(process, "at rest", text, budget=SMALL_REST_MIB_MAX)


def memory_figures(process: Process, when: str, text: str, budget: float | None = None) -> list[Figure]:
    """What it holds, and what it held at most until then."""
    held, most = (process.memory_bytes(field) / 2**20 for field in ("VmRSS", "VmHWM"))
    return [
        Figure(name=f"service, memory {when}", size=text, value=held, unit="MiB", budget=budget),
        Figure(name=f"service, most memory {when}", size=text, value=most, unit="MiB"),
    ]


def request_figures(process: Process, path: str, text: str) -> list[Figure]:
    """Latency and CPU of one request."""
    process.hang_up()  # a connection at rest is closed over there
    body = process.get(path)
    before, seconds = process.cpu_seconds(), []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        process.get(path)
        seconds.append(time.perf_counter() - started)
    cpu = (process.cpu_seconds() - before) / REQUESTS * 1000
    note = f"{len(body):,} bytes"
    return [
        Figure(name=f"GET {path}, latency", size=text, value=median(seconds) * 1000, unit="ms", note=note),
        Figure(name=f"GET {path}, CPU", size=text, value=cpu, unit="ms"),
    ]


def _address(log: Path) -> str:
    found: list[str] = []

    def look() -> bool:
        lines = [line for line in log.read_bytes().splitlines() if b'"serving"' in line]
        found.extend(msgspec.json.decode(line, type=_Line).api for line in lines)
        return bool(found)

    _wait_until(look)
    return found[0]


def _wait_until(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + _READY_SECONDS_MAX
    while not is_true():
        assert time.monotonic() < until, "the service did not get ready"
        time.sleep(0.1)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        taken = asyncio.run(one_shot(Path(directory)))
    budgets = dict(zip(taken, (None, HELP_MS_MAX, NO_OP_MS_MAX), strict=True))
    figures = [
        Figure(
            name=name, size="sample", value=worst_median(s) * 1000, unit="ms", budget=budgets[name], runs=RUNS
        )
        for name, s in taken.items()
    ]
    with tempfile.TemporaryDirectory() as directory:
        taken = asyncio.run(large_one_shot(Path(directory), given.entities))
    text = f"{given.entities:,} entities"
    figures += [
        Figure(
            name=name,
            size=text,
            value=worst_median(s) * 1000,
            unit="ms",
            budget=LARGE_MS_MAX[name],
            runs=RUNS,
        )
        for name, s in taken.items()
    ]
    figures += service_figures(given.entities, given.idle_seconds)
    figures += small_service_figures()
    publish("processes", figures)


if __name__ == "__main__":
    main()
