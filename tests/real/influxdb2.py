"""A real InfluxDB 2.x for tests: a server of our own, or the one that the environment names.

RECONCILE_TEST_INFLUXDB_URL names a server and bucket (influxdb://HOST:PORT/BUCKET?org=ORG, with
RECONCILE_TEST_INFLUXDB_TOKEN). It is only written to, under sites of the tests' own; what has to stop a server or
change its bucket needs one of ours.
"""

import http.client
import os
import signal
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
from tests.real.free_port import free_port
from tests.real.influxdb import DATABASE, READY_ATTEMPTS, find_influxd, rows_of

ORG = "org"
_ACCOUNT = {
    "username": "admin",
    "password": "admin-password",
    "org": ORG,
    "bucket": DATABASE,
    "token": "a-token-of-the-tests",
}


class InfluxServer2:
    """An influxd 2.x that can be stopped, killed and started again; data and port stay."""

    credentials = Credentials(token=Secret(_ACCOUNT["token"]))

    def __init__(self, binary: Path, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._command = [str(binary), f"--http-bind-address=127.0.0.1:{self.port}", "--reporting-disabled"]
        self._command += [f"--{name}={folder / name}" for name in ("bolt-path", "sqlite-path", "engine-path")]

    @property
    def uri(self) -> str:
        return f"influxdb://127.0.0.1:{self.port}/{DATABASE}?org={ORG}&wire=v2"

    def start(self) -> None:
        """Returns when the server answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        for _ in range(READY_ATTEMPTS):
            assert self._process.poll() is None, f"influxd 2.x ended; see {self._folder / 'log'}"
            try:
                if self.request("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"influxd 2.x did not answer; see {self._folder / 'log'}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Returns when the process is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(60)

    def set_up(self) -> None:
        """Make the first user, organization, bucket and token."""
        status, answer = self.request("POST", "/api/v2/setup", _ACCOUNT)
        assert status == 201, answer

    def keep(self, seconds: int) -> None:
        """Change how long the bucket keeps points; 0 forever."""
        # Without a shard's length, a retention shorter than that is refused (2.7.11, seen 2026-11-23).
        rules = [{"type": "expire", "everySeconds": seconds, "shardGroupDurationSeconds": 3600}]
        bucket = self._bucket()
        status, answer = self.request("PATCH", f"/api/v2/buckets/{bucket['id']}", {"retentionRules": rules})
        assert status == 200, answer

    def token(self, *actions: str) -> Credentials:
        """A token that may read, write, or both, or neither, this bucket only."""
        bucket = self._bucket()
        resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
        permissions = [{"action": action, "resource": resource} for action in actions]
        if not actions:
            permissions = [{"action": "read", "resource": {"type": "tasks", "orgID": bucket["orgID"]}}]
        asked = {"orgID": bucket["orgID"], "permissions": permissions}
        status, answer = self.request("POST", "/api/v2/authorizations", asked)
        assert status == 201, answer
        return Credentials(token=Secret(answer["token"]))

    def delete(self, predicate: str) -> None:
        """Delete points as another program would."""
        target = f"/api/v2/delete?org={ORG}&bucket={DATABASE}"
        asked = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z", "predicate": predicate}
        status, answer = self.request("POST", target, asked)
        assert status == 204, answer

    def map_elsewhere(self) -> None:
        """Make another bucket, and let InfluxQL take it for ours."""
        org_id = self._bucket()["orgID"]
        status, other = self.request("POST", "/api/v2/buckets", {"name": "other", "orgID": org_id})
        assert status == 201, other
        asked = {
            "bucketID": other["id"],
            "orgID": org_id,
            "database": DATABASE,
            "retention_policy": "autogen",
        }
        status, answer = self.request("POST", "/api/v2/dbrps", {**asked, "default": True})
        assert status == 201, answer

    def query(self, statement: str) -> list[dict[str, object]]:
        """Rows of an InfluxQL statement, tags among them; times in ns. Fails on any error."""
        target = f"/query?{urlencode({'db': DATABASE, 'epoch': 'ns', 'q': statement})}"
        status, answer = self.request("POST", target)
        assert status == 200, answer
        return rows_of(answer)

    def request(self, method: str, target: str, asked: object = None) -> tuple[int, Any]:
        """Status and decoded JSON of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json", **self.credentials.header()}
            connection.request(method, target, msgspec.json.encode(asked), headers)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, msgspec.json.decode(body) if body else None
        finally:
            connection.close()

    def _bucket(self) -> dict[str, str]:
        status, answer = self.request("GET", f"/api/v2/buckets?name={DATABASE}&org={ORG}")
        assert status == 200, answer
        bucket: dict[str, str] = answer["buckets"][0]
        return bucket


@contextmanager
def own_influxdb2(folder: Path) -> Iterator[InfluxServer2]:
    """A running 2.x with the bucket DATABASE. Raises InfluxMissingError."""
    server = InfluxServer2(find_influxd("2"), folder)
    server.start()
    try:
        server.set_up()
        yield server
    finally:
        server.stop(signal.SIGKILL)


@contextmanager
def running_influxdb2(folder: Path) -> Iterator[tuple[str, Credentials]]:
    """A URI for wire v2 with its credentials: of the server that the environment names, or of one of our own.

    Raises InfluxMissingError.
    """
    named = os.environ.get("RECONCILE_TEST_INFLUXDB_URL")
    if named:
        yield named, Credentials(token=Secret(os.environ.get("RECONCILE_TEST_INFLUXDB_TOKEN", "")))
        return
    with own_influxdb2(folder) as server:
        yield server.uri, server.credentials
