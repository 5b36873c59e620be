"""The service as a process whose status is polled all the time, so that it can be compared with the truth.

The rule: while the service cannot know how Home Assistant or a replica stands, the time up to which it claims to
know (`synced_at`) does not pass the moment when it was cut off.
"""

import threading
import time
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import pytest

from tests.service_process import SAMPLE, Service, get

SAMPLE_SECONDS = 0.05
WAIT_SECONDS_MAX = 180.0

# A service that notices within seconds what by default takes minutes. After four seconds without a comparison its
# status is unknown.
FAST = {
    "RECONCILE_LOOP__HEARTBEAT_SECONDS": "1",
    "RECONCILE_LOOP__RELIST_SECONDS": "2",
    "RECONCILE_LOOP__VERIFY_SECONDS": "2",
    "RECONCILE_LOOP__RETRY_SECONDS_MIN": "0.2",
    "RECONCILE_LOOP__RETRY_SECONDS_MAX": "1",
    "RECONCILE_SOURCE__TIMEOUT_SECONDS": "3",
    "RECONCILE_RECORDS__TIMEOUT_SECONDS": "2",
    "RECONCILE_PLAN__DELETE_CONFIRM_SECONDS": "1",
}


class Said(NamedTuple):
    """What was said of one replica, and when it had been said."""

    at: float
    replica: str
    status: str
    synced_at: float


class WatchedService:
    """`reconcile serve` while the block runs."""

    def __init__(self, folder: Path, *argv: str, source: str = SAMPLE, **environ: str) -> None:
        self._service = Service(folder, *argv, source=source, **{**FAST, **environ})
        self._said: list[Said] = []
        self._is_over = threading.Event()
        self.address = ""

    def __enter__(self) -> "WatchedService":
        try:
            self.address = self._service.wait_until_serving()
        except BaseException:
            self._service.process.kill()
            raise
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._ask)]
        for thread in self._threads:
            thread.start()
        # Or a short test would hold nothing against the truth.
        while not self._said and self._service.process.poll() is None:
            time.sleep(SAMPLE_SECONDS)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._is_over.set()
        self._service.process.kill()
        for thread in self._threads:
            thread.join(timeout=30)
        self._service.process.wait(30)
        assert self._service.process.stderr is not None
        self._service.process.stderr.close()

    def status(self) -> Any:
        """What `/api/status` says now."""
        try:
            return get(self.address, "/api/status")
        except OSError:
            self._service.process.wait(30)
            pytest.fail(f"the service ended: {''.join(self._service.lines[-30:])}")

    @property
    def lines(self) -> list[str]:
        """What it logged."""
        return list(self._service.lines)

    def replica(self, name: str) -> Any:
        """Its part about one replica."""
        return next(r for r in self.status()["replicas"] if r["replica"] == name)

    def wait_for(self, wanted: str, replica: str | None = None) -> Any:
        """Wait until the whole, or one replica, has a status; returns what was said then."""
        ends = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < ends:
            said = self.replica(replica) if replica else self.status()
            if said["status"] == wanted:
                return said
            time.sleep(SAMPLE_SECONDS)
        pytest.fail(f"it never said {wanted}: {said}")

    def wait_until_synced(self, after: float) -> None:
        """Wait until every replica is in sync and known to be so later than a time, Unix seconds."""
        ends = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < ends:
            status = self.status()
            if status["status"] == "in_sync" and all(
                _unix(r["synced_at"]) > after for r in status["replicas"]
            ):
                return
            time.sleep(SAMPLE_SECONDS)
        pytest.fail(f"it never got in sync: {status}; {get(self.address, '/api/drift')}")

    def wait_until_asked(self, after: float) -> None:
        """Wait until what it says was looked at later than a time, Unix seconds."""
        ends = time.monotonic() + WAIT_SECONDS_MAX
        while not any(s.at > after for s in self._said):
            assert time.monotonic() < ends, "no request arrived"
            time.sleep(SAMPLE_SECONDS)

    def check_claims(self, since: float, until: float, *replicas: str) -> None:
        """Fail if, between the two times, it claimed to know of the replicas (or all) more than up to `since`."""
        said = [s for s in self._said if since < s.at < until and (not replicas or s.replica in replicas)]
        assert said, "nothing was asked in that time"
        assert [s for s in said if s.synced_at > since] == []

    def _ask(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            try:
                status = get(self.address, "/api/status")
            except (OSError, HTTPException):
                continue  # it is being killed
            at = time.time()
            self._said += [
                Said(at, r["replica"], r["status"], _unix(r["synced_at"])) for r in status["replicas"]
            ]

    def _listen(self) -> None:
        # A service whose output is not read blocks when the pipe is full.
        assert self._service.process.stderr is not None
        for line in self._service.process.stderr:
            self._service.lines.append(line)


def _unix(text: str | None) -> float:
    return 0.0 if text is None else datetime.fromisoformat(text).timestamp()
