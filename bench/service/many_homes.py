"""The cost of one home among many in a process, and whether faulty ones harm the others.

Input: seeded homes of one size (`tests.fakes.many_homes` plays them over real websockets in a process of its own), rows and
history file each, one process of `reconcile serve` with `sites.directory`. Measured of that process: CPU from its start until
all homes are in sync, resident memory and CPU at rest, how late its event loop was (once a second, from /metrics) and the longest
callback of that loop (in processor time, which a crowded machine does not change), and how long renames take to be in the change
stream of all homes, before and while every fifth home misbehaves, and what those cost the process.
Budget at 100 homes of 1,300 entities on an idle machine: 5 MiB and 0.08 % of a core per home, p99 of the lag 100 ms.

    python -m bench.service.many_homes [--homes 100] [--entities 1300] [--rest-seconds 60]
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from bench.figures import Figure, publish
from tests.fakes.many_homes import FAULTS, TOKEN_PREFIX

ROOT = Path(__file__).parents[2]
_MIB_MAX, _CPU_MAX, _LAG_MAX = 5.0, 0.08, 100.0
_FAULTY_CPU_MAX = 1.0  # 20 of 100 leave four fifths of a core to the others
_RENAMES = 100
_FAULTY_EVERY = 5
# A home writes what it learned with its first heartbeat, 30 s after it was read, and is read once more then.
_SETTLE_SECONDS = 75.0
_TURNS_SECONDS_MAX = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Played:
    """The process that plays the homes."""

    def __init__(self, entities: int) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "tests.fakes.many_homes", str(entities)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert self.process.stdout is not None
        self.port, control = map(int, self.process.stdout.readline().split())
        self._socket = socket.create_connection(("127.0.0.1", control))
        self._lines = self._socket.makefile("rw")

    def obey(self, line: str) -> Any:
        """Have a command carried out."""
        self._lines.write(line + "\n")
        self._lines.flush()
        return json.loads(self._lines.readline())

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self._socket.close()
        self.process.kill()
        self.process.communicate()


class Service:
    """The process that keeps the homes."""

    def __init__(self, folder: Path) -> None:
        """Start it and wait until it serves."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._turns = folder / "turns.json"
        command = [sys.executable, "-m", "bench.service.loop_turns", str(self._turns), "serve"]
        self.process = subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True)  # noqa: S603
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if '"serving"' in line)
        self.address = json.loads(line)["api"]
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def get(self, path: str) -> Any:
        """The decoded body of an answer."""
        with urllib.request.urlopen(self.address + path, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def loop_lag(self) -> float:
        """The event loop's lag since the last call, ms."""
        with urllib.request.urlopen(self.address + "/metrics", timeout=60) as answer:  # noqa: S310
            text = answer.read().decode()
        line = next(line for line in text.splitlines() if line.startswith("reconcile_event_loop_lag"))
        return float(line.split()[1]) * 1000

    def longest_turn(self) -> tuple[float, str]:
        """The longest callback of the event loop since the last call: its processor time, ms, and its name."""
        self._turns.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + _TURNS_SECONDS_MAX
        while not self._turns.exists():
            assert time.monotonic() < until, "the event loop does not answer"
            time.sleep(0.1)
        found = json.loads(self._turns.read_text(encoding="utf-8"))
        return (found[0][0], found[0][1]) if found else (0.0, "")

    @property
    def cpu_seconds(self) -> float:
        """CPU used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def mebibytes(self) -> float:
        """Resident memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE") / 2**20


@contextmanager
def renamed(service: Service) -> Iterator[dict[str, float]]:
    """When changed names were written to the rows, by name, while the block runs."""
    seen: dict[str, float] = {}
    stream = urllib.request.urlopen(service.address + "/api/fleet/changes/stream", timeout=600)  # noqa: S310

    def follow() -> None:
        for line in stream:
            if line.startswith(b"data: {") and b'"replica":"sqlite"' in line:
                seen.setdefault(json.loads(line[6:])["name"], time.time())

    threading.Thread(target=follow, daemon=True).start()
    yield seen


def latencies(played: Played, seen: dict[str, float], homes: list[str], label: str) -> list[float]:
    """From the renames of entities to their rows, ms, a minute at least where they do not arrive; homes take turns."""
    for number in range(_RENAMES):
        played.obey(f"rename {homes[number % len(homes)]} {number} {label}{number}")
        time.sleep(0.1)
    wanted = {f"{label}{number}" for number in range(_RENAMES)}
    until = time.monotonic() + 60
    while not wanted <= seen.keys() and time.monotonic() < until:
        time.sleep(0.1)
    moments, now = played.obey("moments"), time.time()
    return [(seen.get(name, now) - moments[name]) * 1000 for name in sorted(wanted)]


def set_up(folder: Path, homes: int, port: int) -> list[str]:
    """Write the settings of all homes."""
    (folder / "sites.d").mkdir()
    text = '[sites]\ndirectory = "sites.d"\nstate = "state"\nsecrets = "secrets"\n[http]\nport = 0\n[log]\nformat = "json"\n'
    (folder / "reconcile.toml").write_text(text, encoding="utf-8")
    names = [f"home{number:04}" for number in range(homes)]
    for name in names:
        (folder / "sites.d" / f"{name}.toml").write_text(
            f'[source]\nuri = "ws://127.0.0.1:{port}"\n', encoding="utf-8"
        )
        secrets = folder / "secrets" / name
        secrets.mkdir(parents=True)
        (secrets / "source_token").write_text(TOKEN_PREFIX + name, encoding="utf-8")
    return names


def misbehave(played: Played, names: list[str]) -> int:
    """Let every fifth home do so, each kind in turn; returns how many."""
    kinds = [fault for fault in FAULTS if fault != "none"]
    chosen = names[::_FAULTY_EVERY]
    for number, name in enumerate(chosen):
        played.obey(f"fault {name} {kinds[number % len(kinds)]}")
        played.obey(f"cut {name}")
    time.sleep(5)
    return len(chosen)


def measure(homes: int, entities: int, rest_seconds: float) -> list[Figure]:
    """All figures of one size."""
    size = f"{homes} homes x {entities:,} entities"
    with tempfile.TemporaryDirectory() as directory:
        played = Played(entities)
        names = set_up(Path(directory), homes, played.port)
        began = time.monotonic()
        service = Service(Path(directory))
        service.longest_turn()  # loading before anything is served delays no one
        empty, lags = service.mebibytes, list[float]()
        try:
            while service.get("/api/sites?limit=1")["by_status"].get("in_sync", 0) < homes:
                time.sleep(1)
                lags.append(service.loop_lag())
            started_seconds, started_cpu = time.monotonic() - began, service.cpu_seconds
            start_turn = service.longest_turn()
            time.sleep(_SETTLE_SECONDS)
            settle_turn = service.longest_turn()
            service.loop_lag()
            before, at = service.cpu_seconds, time.monotonic()
            rest = list[float]()
            while time.monotonic() < at + rest_seconds:
                time.sleep(1)
                rest.append(service.loop_lag())
            idle = (service.cpu_seconds - before) / (time.monotonic() - at)
            rest_turn = service.longest_turn()
            per_home = (service.mebibytes - empty) / homes
            with renamed(service) as seen:
                healthy = [name for number, name in enumerate(names) if number % _FAULTY_EVERY]
                calm = latencies(played, seen, healthy, "calm")
                faulty = misbehave(played, names)
                service.longest_turn()
                before, at = service.cpu_seconds, time.monotonic()
                harmed = latencies(played, seen, healthy, "harmed")
                fault_cpu = (service.cpu_seconds - before) / (time.monotonic() - at) - idle
                fault_turn = service.longest_turn()
        finally:
            service.process.terminate()
            service.process.wait(30)
            played.close()
    return [
        Figure(name="start, all in sync", size=size, value=started_seconds, unit="s"),
        Figure(name="start, CPU per home", size=size, value=started_cpu * 1000 / homes, unit="ms"),
        Figure(name="start, loop lag, worst", size=size, value=max(lags), unit="ms"),
        *(
            Figure(name=name, size=size, value=turn[0], unit="CPU ms", budget=_LAG_MAX, note=turn[1])
            for name, turn in (
                ("start, longest turn of the loop", start_turn),
                ("settling, longest turn of the loop", settle_turn),
                ("rest, longest turn of the loop", rest_turn),
                ("every fifth misbehaves, longest turn of the loop", fault_turn),
            )
        ),
        Figure(name="memory per home", size=size, value=per_home, unit="MiB", budget=_MIB_MAX),
        Figure(name="rest, CPU per home", size=size, value=idle * 100 / homes, unit="%", budget=_CPU_MAX),
        Figure(name="rest, loop lag by second, p99", size=size, value=_p99(rest), unit="ms", budget=_LAG_MAX),
        Figure(
            name="every fifth misbehaves, CPU for each, and for 10 renames a second",
            size=size,
            value=fault_cpu * 100 / faulty,
            unit="%",
            budget=_FAULTY_CPU_MAX,
        ),
        Figure(name="rename to row, p99", size=size, value=_p99(calm), unit="ms"),
        Figure(
            name="rename to row, p99, every fifth misbehaves",
            size=size,
            value=_p99(harmed),
            unit="ms",
            budget=1.2 * _p99(calm),
        ),
    ]


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, nargs="+", default=[100])
    parser.add_argument("--entities", type=int, default=1_300)
    parser.add_argument("--rest-seconds", type=float, default=60)
    given = parser.parse_args()
    publish(
        "many_homes", [f for homes in given.homes for f in measure(homes, given.entities, given.rest_seconds)]
    )


if __name__ == "__main__":
    main()
