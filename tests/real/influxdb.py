"""A real InfluxDB for tests: a server of our own on a free loopback port, with data of its own.

Debian's package `influxdb` brings 1.6.7 (`apt-get install influxdb`), Go builds 1.8 (`tests.real.influxd`). No package
brings 2.x: there a test uses the `influxd` that RECONCILE_TEST_INFLUXD names or that is on PATH and says it is 2.x.
"""

import http.client
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from engine.replicas.influx.wires.http import Credentials
from engine.secret import Secret
from tests.availability import skip_or_fail
from tests.real.free_port import free_port
from tests.real.influxd import InfluxdMissingError, find_built

ADMIN = Credentials(username="admin", password=Secret("admin pass:word"))
DATABASE = "homes"

READY_ATTEMPTS = 1200  # a minute; it takes a second
_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {auth}
  log-enabled = false
  flux-enabled = true
  max-row-limit = 0
[monitor]
  store-enabled = false
[ifql]
[retention]
  check-interval = "1h"
{more}
"""


class InfluxMissingError(Exception):
    """There is no such server here; the text says how to get one."""


def find_influxd(major: str) -> Path:
    """The influxd of a version ("1", "1.8" or "2"). Raises InfluxMissingError."""
    if major == "1.8":
        try:
            return find_built()
        except InfluxdMissingError as missing:
            raise InfluxMissingError(str(missing)) from missing
    named = os.environ.get("RECONCILE_TEST_INFLUXD") if major == "2" else None
    found = named or shutil.which("influxd")
    if found is not None:
        text = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"InfluxDB v?(\d+)\.", text)
        if version is not None and version[1] == major:
            return Path(found)
    if major == "1":
        raise InfluxMissingError("no InfluxDB 1.x: `apt-get install --no-install-recommends influxdb`")
    raise InfluxMissingError(
        "optional: no InfluxDB 2.x; no package brings it, so name an influxd in RECONCILE_TEST_INFLUXD"
        " or a server in RECONCILE_TEST_INFLUXDB_URL"
    )


class InfluxServer:
    """An influxd 1.x that can be stopped, killed and started again; data and port stay."""

    def __init__(self, binary: Path, folder: Path, *, auth: bool = False, more: str = "") -> None:
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        text = _CONFIG.format(folder=folder, port=self.port, auth=str(auth).lower(), more=more)
        (folder / "influxdb.conf").write_text(text)

    @property
    def uri(self) -> str:
        return f"influxdb://127.0.0.1:{self.port}/{DATABASE}?wire=v1"

    @property
    def flux_uri(self) -> str:
        """The same database over wire v2, which 1.8 speaks as well."""
        return self.uri.replace("wire=v1", "wire=v2")

    @property
    def folder(self) -> Path:
        """Where its configuration and data are."""
        return self._folder

    def configure(self, old: str, new: str) -> None:
        """Change the configuration and start again."""
        self.stop()
        file = self._folder / "influxdb.conf"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        self.start()

    def start(self) -> None:
        """Returns when the server answers."""
        with (self._folder / "log").open("ab") as log:
            command = [str(self._binary), "-config", str(self._folder / "influxdb.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(READY_ATTEMPTS):
            if self._is_ready():
                return
            time.sleep(0.05)
        raise AssertionError(f"influxd did not answer; see {self._folder / 'log'}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Returns when the process is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(60)

    def query(self, statement: str, credentials: Credentials | None = None) -> list[dict[str, object]]:
        """Rows of an InfluxQL statement, tags among them; times in ns. Fails on any error."""
        target = f"/query?{urlencode({'db': DATABASE, 'epoch': 'ns', 'q': statement})}"
        status, body = self.request("POST", target, b"", credentials)
        assert status == 200, body
        return rows_of(msgspec.json.decode(body))

    def write(self, lines: str, *, precision: str = "ns") -> None:
        """Write as another program would."""
        status, body = self.request("POST", f"/write?db={DATABASE}&precision={precision}", lines.encode())
        assert status == 204, body

    def request(
        self, method: str, target: str, body: bytes, credentials: Credentials | None = None
    ) -> tuple[int, bytes]:
        connection = self._connect()
        try:
            connection.request(method, target, body, (credentials or Credentials()).header())
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if "https-enabled = true" in (self._folder / "influxdb.conf").read_text():
            context = ssl.create_default_context(cafile=str(self._folder / "certificate.pem"))
            return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "influxd ended; see its log"
        try:
            return self.request("GET", "/ping", b"")[0] == 204
        except OSError:
            return False


def rows_of(answer: Any) -> list[dict[str, object]]:
    """Rows of InfluxQL's answer, tags among them. Fails on any error."""
    rows: list[dict[str, object]] = []
    for result in answer["results"]:
        assert "error" not in result, result
        for series in result.get("series", ()):
            given = {"measurement": series.get("name"), **series.get("tags", {})}
            rows += [given | dict(zip(series["columns"], v, strict=True)) for v in series.get("values", ())]
    return rows


@contextmanager
def running_influxdb(
    folder: Path, *, auth: bool = False, more: str = "", version: str = "1"
) -> Iterator[InfluxServer]:
    """A running 1.x with the database DATABASE, and, with `auth`, the user ADMIN. Raises InfluxMissingError."""
    server = InfluxServer(find_influxd(version), folder, auth=auth, more=more)
    server.start()
    try:
        if auth:
            password = ADMIN.password.reveal()
            server.query(f"CREATE USER {ADMIN.username} WITH PASSWORD '{password}' WITH ALL PRIVILEGES")
        server.query(f"CREATE DATABASE {DATABASE}", ADMIN if auth else None)
        yield server
    finally:
        server.stop(signal.SIGKILL)


@contextmanager
def influxdb_or_skip(folder: Path, *, auth: bool = False, version: str = "1") -> Iterator[InfluxServer]:
    """A running InfluxDB 1.x; where there is none, the test is skipped, or fails in CI."""
    try:
        with running_influxdb(folder, auth=auth, version=version) as server:
            yield server
    except InfluxMissingError as reason:
        skip_or_fail(str(reason))
