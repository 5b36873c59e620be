"""`reconcile serve` as a process, and its API as a client sees it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = f"capture:{ROOT / 'ops' / 'sample' / 'home-2026.11'}"
POLLS_MAX, POLL_SECONDS = 2400, 0.05  # a ceiling for a loaded machine, as all in here


class Service:
    """`reconcile serve` in a process of its own."""

    def __init__(self, folder: Path, *argv: str, source: str = SAMPLE, **environ: str) -> None:
        stores = ["--rows", str(folder / "rows.db"), "--records", f"history:{folder / 'history.db'}"]
        command = [sys.executable, "-m", "engine", "serve", "--source", source, *stores, *argv]
        self._start(command, folder, {"RECONCILE_HTTP__PORT": "0", "PYTHONPATH": str(ROOT), **environ})

    @classmethod
    def started_by(cls, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Self:
        """The service as some other command line, such as an image's, starts it."""
        service = cls.__new__(cls)
        service._start(command, folder, environ)
        return service

    def _start(self, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("RECONCILE_", "SUPERVISOR_"))}
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**clean, "RECONCILE_LOG__FORMAT": "json", **environ},
        )
        self.lines: list[str] = []

    def wait_until_serving(self) -> str:
        """Returns the API's address."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if '"serving"' in line:
                address: str = json.loads(line)["api"]
                return address
        pytest.fail(f"did not serve: {self.lines}")

    def stop(self) -> tuple[int, str]:
        """The exit code, and all it said."""
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        return self.process.returncode, "".join(self.lines) + rest


def get(address: str, path: str, token: str = "") -> Any:
    request = urllib.request.Request(f"{address}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def wait_until(is_reached: Callable[[], object], what: str) -> None:
    """Ask until it is so; a real process has no virtual time."""
    for _ in range(POLLS_MAX):
        if is_reached():
            return
        time.sleep(POLL_SECONDS)
    pytest.fail(f"never: {what}")


def poll(address: str, path: str, wanted: str, token: str = "") -> Any:
    """Ask until the status is the wanted one; a real process has no virtual time."""
    for _ in range(POLLS_MAX):
        answer = get(address, path, token)
        if answer["status"] == wanted:
            return answer
        time.sleep(POLL_SECONDS)
    pytest.fail(f"{path} never said {wanted}: {answer}")
