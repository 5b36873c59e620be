"""The service while the machine gives it too little: inodes, a writable disk, files, memory, time."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import apsw
import pytest

from tests.kill.scenarios import SAMPLE, edit
from tests.real.small_disk import SmallDisk, mounted
from tests.service_process import ROOT, Service, get, poll, wait_until

pytestmark = pytest.mark.real_server

FAST = {
    "RECONCILE_LOOP__RETRY_SECONDS_MIN": "0.2",
    "RECONCILE_LOOP__RETRY_SECONDS_MAX": "1",
    "RECONCILE_LOOP__POLL_SECONDS": "0.1",
    "RECONCILE_LOOP__HEARTBEAT_SECONDS": "1",
    "RECONCILE_LOOP__UNKNOWN_SECONDS": "3",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Home Assistant as recorded command results that change."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "source"))


def change(source: Path, name: str, more: int = 0) -> None:
    """The first area has another name, and there are so many more."""

    def in_areas(rows: list[dict[str, Any]]) -> None:
        rows[0]["name"] = name
        rows += [{**rows[0], "area_id": f"area_{n}", "name": f"{name} {n} {'x' * 500}"} for n in range(more)]

    edit(source, "area_registry_list", in_areas)


def names(rows: Path) -> list[str]:
    connection = apsw.Connection(str(rows), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [str(name) for (name,) in connection.execute("SELECT name FROM areas")]
    finally:
        connection.close()


def not_ready(address: str) -> str:
    """Why it is not."""
    with pytest.raises(HTTPError) as caught:
        get(address, "/readyz")
    with caught.value as answer:
        assert answer.code == 503
        return answer.read().decode()


def serve(folder: Path, source: Path, services: list[Service], **environ: str) -> tuple[Service, str]:
    service = Service(folder, source=f"capture:{source}", **{**FAST, **environ})
    services.append(service)
    return service, service.wait_until_serving()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "small", "size=8m,nr_inodes=20") as disk:
        yield disk


@pytest.mark.optional_server
def test_a_disk_without_inodes_is_reported_and_recovered_from(
    disk: SmallDisk, source: Path, services: list[Service]
) -> None:
    service, address = serve(disk.folder, source, services)
    poll(address, "/api/status", "in_sync")
    assert service.stop()[0] == 0
    disk.take_inodes()  # so that a log cannot be made beside the file
    change(source, "Meanwhile")
    service, address = serve(disk.folder, source, services)
    said = poll(address, "/api/status", "unknown")
    wait_until(lambda: get(address, "/api/status")["replicas"][1]["error"], "an error of the history")
    said = get(address, "/api/status")
    assert all("no inode is free" in replica["error"] for replica in said["replicas"]), said
    assert "no inode is free" in not_ready(address)
    disk.make_room()
    poll(address, "/api/status", "in_sync")
    assert "Meanwhile" in names(disk.folder / "rows.db")


@pytest.mark.optional_server
def test_a_disk_that_is_mounted_read_only_is_reported(
    disk: SmallDisk, source: Path, services: list[Service]
) -> None:
    service, address = serve(disk.folder, source, services)
    poll(address, "/api/status", "in_sync")
    assert service.stop()[0] == 0
    disk.remount("ro")
    service = Service(disk.folder, source=f"capture:{source}", **FAST)
    services.append(service)
    assert service.process.stderr is not None
    assert "its disk is mounted read-only" in service.process.stderr.read()
    assert service.process.wait(30) == 1
    disk.remount("rw")
    change(source, "Later")
    service, address = serve(disk.folder, source, services)
    poll(address, "/api/status", "in_sync")
    assert "Later" in names(disk.folder / "rows.db")


LIMITED = """import os, resource, sys
files = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
os.execv(sys.executable, [sys.executable, "-m", "engine", *sys.argv[2:]])"""


def serve_with_files(files: int, folder: Path, source: Path, services: list[Service]) -> Service:
    """The service, allowed to open so many files at once."""
    stores = ["--rows", str(folder / "rows.db"), "--records", f"history:{folder / 'history.db'}"]
    command = [sys.executable, "-c", LIMITED, str(files), "serve", "--source", f"capture:{source}", *stores]
    environ = {**FAST, "RECONCILE_HTTP__PORT": "0", "PYTHONPATH": str(ROOT)}
    services.append(Service.started_by(command, folder, environ))
    return services[-1]


def test_with_fewer_files_than_it_needs_it_does_not_begin(
    tmp_path: Path, source: Path, services: list[Service]
) -> None:
    service = serve_with_files(31, tmp_path, source, services)
    assert service.process.stderr is not None
    assert "may open 31 files at once, and a service needs 32" in service.process.stderr.read()
    assert service.process.wait(30) == 1


def test_with_32_files_no_number_of_clients_stops_the_mirror(
    tmp_path: Path, source: Path, services: list[Service]
) -> None:
    service = serve_with_files(32, tmp_path, source, services)
    address = service.wait_until_serving()
    poll(address, "/api/status", "in_sync")
    host, _, port = address.removeprefix("http://").partition(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(60)]
    try:
        for client in clients:
            client.sendall(b"GET /api/status HTTP/1.1\r\n")
        change(source, "While they wait")
        wait_until(lambda: "While they wait" in names(tmp_path / "rows.db"), "the change in its row")
        assert get(address, "/healthz") == {"status": "ok"}
    finally:
        for client in clients:
            client.close()
    poll(address, "/api/status", "in_sync")
    code, reported = service.stop()
    assert code == 0
    assert "pass failed" not in reported


def test_memory_that_does_not_suffice_is_reported_and_recovered_from(
    tmp_path: Path, source: Path, services: list[Service]
) -> None:
    """By the service itself, or if there is not even enough for that, by its next start."""
    service, address = serve(tmp_path, source, services)
    poll(address, "/api/status", "in_sync")
    process = service.process.pid
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    [size] = [line.split()[1] for line in status if line.startswith("VmSize")]
    before = resource.prlimit(process, resource.RLIMIT_AS)
    resource.prlimit(process, resource.RLIMIT_AS, (int(size) * 1024, before[1]))
    change(source, "Large", more=20_000)

    def is_told() -> bool:
        try:
            return "not enough memory" in json.dumps(get(address, "/api/status"))
        except (OSError, HTTPException):  # it had none for an answer
            return service.process.poll() is not None

    wait_until(is_told, "the reason")
    if service.process.poll() is None:
        resource.prlimit(process, resource.RLIMIT_AS, before)
    else:
        assert service.process.returncode == 1
        assert service.process.stderr is not None
        reported = service.process.stderr.read()
        assert "Cannot go on: there is not enough memory" in reported
        assert "Traceback" not in reported
        service, address = serve(tmp_path, source, services)
    poll(address, "/api/status", "in_sync")
    assert "Large" in names(tmp_path / "rows.db")
    assert service.stop()[0] == 0


def test_a_service_suspended_for_a_while_claims_nothing_about_that_time(
    tmp_path: Path, source: Path, services: list[Service]
) -> None:
    service, address = serve(tmp_path, source, services)
    poll(address, "/api/status", "in_sync")
    service.process.send_signal(signal.SIGSTOP)
    change(source, "While it stood")
    time.sleep(4.0)  # longer than loop.unknown_seconds
    service.process.send_signal(signal.SIGCONT)
    said = get(address, "/api/status")
    if said["status"] == "in_sync":  # it was so quick
        assert "While it stood" in names(tmp_path / "rows.db")
    else:
        assert said["status"] in ("unknown", "out_of_sync")
    poll(address, "/api/status", "in_sync")
    assert "While it stood" in names(tmp_path / "rows.db")
    code, reported = service.stop()
    assert code == 0
    assert "error" not in {json.loads(line)["level"] for line in reported.splitlines()}


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group that gives 60 MB of memory."""
    one, two = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    group = (one if one.is_dir() else two) / f"reconcile-test-{os.getpid()}"
    try:
        group.mkdir()
        name = "memory.limit_in_bytes" if one.is_dir() else "memory.max"
        (group / name).write_text(str(60 * 2**20))
    except OSError:
        pytest.skip("optional: no permission to make a control group")
    try:
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
        group.rmdir()


@pytest.mark.optional_server
def test_a_service_killed_for_its_memory_resumes_after_a_restart(
    memory_group: Path, tmp_path: Path, source: Path, services: list[Service]
) -> None:
    service, address = serve(tmp_path, source, services)
    poll(address, "/api/status", "in_sync")
    (memory_group / "cgroup.procs").write_text(str(service.process.pid))
    change(source, "Larger", more=20_000)
    assert service.process.wait(120) == -signal.SIGKILL
    for name in ("rows.db", "history.db"):
        reported = subprocess.run(
            ["sqlite3", str(tmp_path / name), "PRAGMA integrity_check"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert reported.stdout == "ok\n"
    service, address = serve(tmp_path, source, services)
    poll(address, "/api/status", "in_sync")
    assert len(names(tmp_path / "rows.db")) > 20_000
