"""A real Prometheus for tests: Debian's, with the configuration of ops/prometheus, on a free loopback port."""

import http.client
import math
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.real.free_port import free_port

SHIPPED = Path(__file__).parents[2] / "ops" / "prometheus"
# What of the shipped prometheus.yml depends on where the service runs.
TARGET, TOKEN_FILE, INTERVAL = "reconcile:8099", "/run/secrets/http_token", "15s"
READY_ATTEMPTS_MAX, POLL_SECONDS = 600, 0.1


class PrometheusMissingError(Exception):
    """There is no Prometheus here; the text says how to get one."""


def find_tool(name: str) -> str:
    """`prometheus` or `promtool`. Raises PrometheusMissingError."""
    found = shutil.which(name)
    if found is None:
        raise PrometheusMissingError(f"no {name}: `apt-get install --no-install-recommends prometheus`")
    return found


def place_configuration(folder: Path, target: str, token_file: Path) -> Path:
    """Copy ops/prometheus to where it scrapes this target every two seconds; returns its prometheus.yml."""
    shutil.copytree(SHIPPED, folder)
    file = folder / "prometheus.yml"
    text = file.read_text(encoding="utf-8")
    for shipped, here in ((TARGET, target), (TOKEN_FILE, str(token_file)), (INTERVAL, "2s")):
        assert shipped in text, f"{shipped} is no longer in ops/prometheus/prometheus.yml"
        text = text.replace(shipped, here)
    file.write_text(text, encoding="utf-8")
    return file


class Prometheus:
    """The HTTP API of a running Prometheus."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1"

    def query(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """The value of every series at this moment, by its labels; what is not a number is left out."""
        found = self.ask("query", query=expression)["result"]
        values = {frozenset(sample["metric"].items()): float(sample["value"][1]) for sample in found}
        return {labels: value for labels, value in values.items() if not math.isnan(value)}

    def ask(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer. Fails with Prometheus' own words."""
        try:
            address = f"{self._address}/{path}?{urllib.parse.urlencode(parameters)}"
            with urllib.request.urlopen(address, timeout=30) as answer:
                return msgspec.json.decode(answer.read())["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error


@contextmanager
def running_prometheus(configuration: Path) -> Iterator[Prometheus]:
    """A Prometheus with this configuration and no data yet. Raises PrometheusMissingError."""
    folder, port = configuration.parent, free_port()
    command = [
        find_tool("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_ready(process, port, folder / "log")
        yield Prometheus(port)
    finally:
        process.kill()
        process.wait(60)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(READY_ATTEMPTS_MAX):
        assert process.poll() is None, f"prometheus ended: {log.read_text()}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/-/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"prometheus was not ready: {log.read_text()}")
