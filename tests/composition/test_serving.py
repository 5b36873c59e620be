"""The service as a process: it serves, heals, reports and stops."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import anyio
import apsw
import msgspec
import pytest

from engine.composition.serving import serve_beside
from engine.process.systemd import Notifier
from engine.secret import Secret
from engine.settings.sections import HttpSettings, LoadedSettings, Settings
from tests.commandline.homes import Home
from tests.service_process import POLL_SECONDS, POLLS_MAX, Service, get, poll

pytestmark = pytest.mark.process


def test_it_serves_the_home_heals_it_and_ends_with_zero(tmp_path: Path, services: list[Service]) -> None:
    services.append(Service(tmp_path))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    devices = get(address, "/api/devices?limit=1000")["devices"]
    assert len(devices) == 72

    other = apsw.Connection(str(tmp_path / "rows.db"))
    other.set_busy_timeout(60_000)
    other.execute("UPDATE devices SET name = 'Mocked' WHERE name = 'Bed Light'")
    other.close()
    changes = get(address, "/api/changes?after=205&wait=30")["changes"]
    assert [(c["before"], c["after"], c["cause"]) for c in changes] == [
        ({"name": "Mocked"}, {"name": "Bed Light"}, "drift")
    ]
    # The history's last pass is still the one that filled it.
    drift = get(address, "/api/drift?replica=sqlite")
    assert [(r["name"], r["cause"], r["outcome"]) for r in drift["records"]] == [
        ("Bed Light", "drift", "applied")
    ]

    code, said = services[0].stop()
    assert code == 0
    assert '"drift healed"' in said
    assert '"stopped"' in said


class Announcement(msgspec.Struct):
    """A host that records the address it receives."""

    heard: list[str]
    notifier: Notifier = msgspec.field(default_factory=lambda: Notifier({}))

    def on_ready(self, address: str) -> None:
        self.heard.append(address)


class NoStreams:
    async def run(self) -> None: ...

    def close(self) -> None: ...


async def no_app(_scope: object, _receive: object, _send: object) -> None: ...


def test_a_service_stopped_before_it_answers_announces_nothing_and_does_not_fail() -> None:
    host = Announcement([])
    settings = LoadedSettings(Settings(http=HttpSettings(port=0)), {}, {"http.token": Secret("")}, {})

    async def run() -> None:
        stop = anyio.Event()
        stop.set()
        await serve_beside((), no_app, NoStreams(), settings, host, stop)

    anyio.run(run)
    assert host.heard == []


def test_observing_writes_nothing(tmp_path: Path, services: list[Service]) -> None:
    services.append(Service(tmp_path, "--observe"))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "out_of_sync")
    assert get(address, "/api/drift?limit=1")["records"][0]["outcome"] == "observed"
    assert services[0].stop()[0] == 0
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".db"] == []


def test_a_home_that_is_lost_is_reported_once_and_its_return_too(
    tmp_path: Path, services: list[Service]
) -> None:
    home = Home(tmp_path / "home")
    often = {"RECONCILE_LOOP__POLL_SECONDS": "0.1", "RECONCILE_LOOP__RETRY_SECONDS_MAX": "1"}
    services.append(Service(tmp_path, source=home.source, **often))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    home.folder.rename(tmp_path / "elsewhere")
    poll(address, "/health", "not_ready")
    (tmp_path / "elsewhere").rename(home.folder)
    poll(address, "/health", "ready")
    said = services[0].stop()[1]
    changes = [json.loads(line) for line in said.splitlines() if '"status changed"' in line]
    for replica in ("sqlite", "history"):
        reported = [(c["before"], c["status"]) for c in changes if c["replica"] == replica]
        assert reported == [("unknown", "in_sync"), ("in_sync", "unknown"), ("unknown", "in_sync")]
    first, *lost, last = re.findall(r'"message":"(Home Assistant is [^"]*)"', said)
    assert (first, last) == ("Home Assistant is followed", "Home Assistant is followed")
    # Twice, if a read was under way: first a file is missing, then the folder.
    assert lost in [["Home Assistant is not followed"] * count for count in (1, 2)]


def test_a_second_service_on_the_same_store_is_refused(tmp_path: Path, services: list[Service]) -> None:
    services.append(Service(tmp_path))
    services[0].wait_until_serving()
    services.append(Service(tmp_path))
    _, said = services[1].process.communicate(timeout=60)
    assert services[1].process.returncode == 1
    assert f"process {services[0].process.pid}" in said


def test_other_machines_need_a_token(tmp_path: Path, services: list[Service]) -> None:
    services.append(Service(tmp_path, RECONCILE_HTTP__HOST="0.0.0.0"))
    _, said = services[0].process.communicate(timeout=60)
    assert services[0].process.returncode == 1
    assert "http.token_file" in said

    (tmp_path / "token").write_text("very-secret")
    services.append(Service(tmp_path, RECONCILE_HTTP__HOST="0.0.0.0", RECONCILE_HTTP__TOKEN_FILE="token"))
    port = re.findall(r":(\d+)$", services[1].wait_until_serving())[0]
    address = f"http://127.0.0.1:{port}"
    assert get(address, "/healthz") == {"status": "ok"}
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        get(address, "/api/status")
    refused.value.close()
    assert get(address, "/api/status", "very-secret")["site"] == "home"
    assert "very-secret" not in services[1].stop()[1]


def test_a_foreign_name_is_refused_except_from_a_trusted_peer(
    tmp_path: Path, services: list[Service]
) -> None:
    services.append(Service(tmp_path, SUPERVISOR_TOKEN="t", RECONCILE_HTTP__HOST="0.0.0.0"))
    port = services[0].wait_until_serving().rpartition(":")[2]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/status", headers={"Host": "rebound.example"}
    )
    with pytest.raises(urllib.error.HTTPError, match="421") as refused:
        urllib.request.urlopen(request, timeout=60)
    refused.value.close()
    assert get(f"http://localhost:{port}", "/api/status")["site"] == "home"
    assert services[0].stop()[0] == 0

    # The test stands where ingress does.
    (tmp_path / "proxied").mkdir()
    services.append(Service(tmp_path / "proxied", RECONCILE_HTTP__TRUSTED_PEERS="127.0.0.1"))
    address = services[1].wait_until_serving()
    request = urllib.request.Request(f"{address}/api/status", headers={"Host": "homeassistant.local:8123"})
    assert urllib.request.urlopen(request, timeout=60).status == 200


def test_a_taken_port_is_one_clear_error(tmp_path: Path, services: list[Service]) -> None:
    services.append(Service(tmp_path))
    port = services[0].wait_until_serving().rpartition(":")[2]
    (tmp_path / "second").mkdir()
    services.append(Service(tmp_path / "second", RECONCILE_HTTP__PORT=port))
    _, said = services[1].process.communicate(timeout=60)
    assert services[1].process.returncode == 1
    assert "http.port" in said
    assert "Traceback" not in said


def in_rows(path: Path) -> object:
    """How many devices another program finds in the file; None if it cannot read it."""
    ask = (
        "import sqlite3, sys; c = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True, timeout=10);"
        " print(c.execute('SELECT count(*) FROM devices').fetchone()[0], c.execute('PRAGMA integrity_check').fetchone()[0])"
    )
    done = subprocess.run([sys.executable, "-c", ask, str(path)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def test_a_file_that_is_put_in_the_place_of_the_rows_is_noticed_and_healed(
    tmp_path: Path, services: list[Service]
) -> None:
    services.append(Service(tmp_path))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    rows, other = tmp_path / "rows.db", tmp_path / "other.db"
    whole = in_rows(rows)
    assert whole is not None
    put_there: tuple[Callable[[], object], ...] = (
        lambda: other.replace(rows),
        lambda: rows.write_bytes(other.read_bytes()),
        rows.unlink,
    )
    for put in put_there:
        connection = apsw.Connection(str(other))
        connection.execute("CREATE TABLE IF NOT EXISTS devices (device_id TEXT PRIMARY KEY, name TEXT)")
        connection.close()
        get(address, "/api/areas")  # so that the readers have it open, too
        put()
        for _ in range(POLLS_MAX):
            assert services[0].process.poll() is None, "it is still there"
            if get(address, "/api/status")["status"] == "in_sync":
                assert in_rows(rows) == whole
                break
            time.sleep(POLL_SECONDS)
        poll(address, "/api/status", "in_sync")
        other.unlink(missing_ok=True)
    assert services[0].stop()[0] == 0
    assert in_rows(rows) == whole
