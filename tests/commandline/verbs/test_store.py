"""`reconcile store`: its answers and refusals, and the effect on a service and its clients."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.commandline.homes import Home
from tests.commandline.in_process import Answer, Reconcile
from tests.service_process import ROOT, Service, get, poll

SNAPSHOTS = 6


@pytest.mark.slow
def test_a_snapshot_and_its_restore_report_their_results(
    mirror: Reconcile, home: Home, reconcile: Reconcile
) -> None:
    mirror("-q")
    store = ("--rows", "rows.db")
    reported = reconcile("store", "snapshot", "a.db", *store)
    assert reported == (0, "Snapshot of rows.db in a.db: 205 records, all as the engine wrote them.\n", "")

    home.rename_device("Later")
    assert "Applied: 10 changed (sqlite)" in mirror().out
    answer = json.loads(reconcile("store", "restore", "a.db", *store, "--json").out)
    kept = answer.pop("kept")
    assert kept.startswith("rows.db.before-restore-")
    assert answer == {
        "schema_version": 1, "rows": "rows.db", "snapshot": "a.db", "records": 205, "as_applied": 205
    }  # fmt: skip
    assert "Applied: 10 changed (sqlite); nothing to do (history)" in mirror().out  # up to date again
    assert reconcile("store", "restore", kept, *store).out.startswith(f"Restored rows.db from {kept}: 205 ")
    assert mirror().out.startswith("Nothing to do: ")
    assert reconcile("store", "snapshot", "b.db", *store, "-q") == (0, "", "")


def test_a_snapshot_replaces_nothing_without_force(
    mirror: Reconcile, reconcile: Reconcile, tmp_path: Path
) -> None:
    mirror("-q")
    (tmp_path / "a.db").write_text("mine")
    code, out, err = reconcile("store", "snapshot", "a.db", "--rows", "rows.db")
    assert (code, out) == (3, "")
    assert err == "Error: a.db already exists.\nName another file, or replace it with --force.\n"
    assert (tmp_path / "a.db").read_text() == "mine"
    assert reconcile("store", "snapshot", "a.db", "--rows", "rows.db", "--force").code == 0
    assert (tmp_path / "a.db").read_bytes().startswith(b"SQLite format 3")
    (tmp_path / "link.db").symlink_to("rows.db")
    assert reconcile("store", "snapshot", "link.db", "--rows", "rows.db", "--force").code == 3


@pytest.mark.parametrize(
    ("argv", "reported"),
    [
        (("snapshot", "a.db"), "The rows file rows.db does not exist."),
        (("restore", "a.db"), "a.db is no file."),
    ],
)
def test_a_missing_file_is_one_clear_error(
    argv: tuple[str, str], reported: str, reconcile: Reconcile
) -> None:
    code, out, err = reconcile("store", *argv, "--rows", "rows.db")
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {reported}\n")


def test_moving_a_file_away_is_not_advised_for_an_invalid_snapshot(reconcile: Reconcile) -> None:
    Path("a.db").write_bytes(b"no database, but a letter" * 100)
    code, _, err = reconcile("store", "restore", "a.db", "--rows", "rows.db")
    assert code == 1
    assert err.endswith("Nothing was changed. Name a file that `reconcile store snapshot` made.\n")


def run(folder: Path, *argv: str) -> Answer:
    """The command in a process of its own: while this one has the file open, it must not close it."""
    ended = subprocess.run(
        [sys.executable, "-m", "engine", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(ended.returncode, ended.stdout, ended.stderr)


def keep_writing(path: Path, stop: threading.Event) -> None:
    """Spoil a device and an area in one transaction, again and again; the service heals both in one."""
    other = apsw.Connection(str(path))
    other.set_busy_timeout(60_000)
    device, area = "SELECT min(device_id) FROM devices", "SELECT min(area_id) FROM areas"
    while not stop.is_set():
        other.execute(
            f"BEGIN IMMEDIATE; UPDATE devices SET name = 'Mocked' WHERE device_id = ({device});"
            f"UPDATE areas SET name = 'Mocked' WHERE area_id = ({area}); COMMIT"
        )
        stop.wait(0.01)
    other.close()


def wait_for_changes(address: str, after: int) -> int:
    """Returns the number of the newest change, when there is one behind `after`."""
    for _ in range(30):
        page = get(address, f"/api/changes?after={after}&wait=5")
        if page["changes"]:
            return int(page["next"])
    pytest.fail("no change came")


@pytest.mark.process
def test_a_snapshot_under_writers_is_of_one_moment(tmp_path: Path, services: list[Service]) -> None:
    services.append(Service(tmp_path))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    stop = threading.Event()
    writer = threading.Thread(target=keep_writing, args=(tmp_path / "rows.db", stop))
    writer.start()
    try:
        # The service is healing, so it writes as well.
        assert wait_for_changes(address, 205)
        answers = [
            run(tmp_path, "store", "snapshot", f"{n}.db", "--rows", "rows.db", "--json")
            for n in range(SNAPSHOTS)
        ]
    finally:
        stop.set()
        writer.join()
    newest = []
    for number, answer in enumerate(answers):
        assert answer.code == 0, answer.err
        copy = apsw.Connection(str(tmp_path / f"{number}.db"), flags=apsw.SQLITE_OPEN_READONLY)
        spoiled = [
            copy.execute(f"SELECT count(*) FROM {table} WHERE name = 'Mocked'").get
            for table in ("devices", "areas")
        ]
        newest.append(copy.execute("SELECT max(seq) FROM reconcile_changes").get)
        copy.close()
        assert spoiled in ([0, 0], [1, 1])
        assert json.loads(answer.out)["as_applied"] == 205 - sum(spoiled)
    assert newest == sorted(newest)
    assert services[0].stop()[0] == 0


@pytest.mark.process
def test_a_restore_waits_for_the_service_to_be_stopped_and_its_clients_start_over(
    tmp_path: Path, services: list[Service], home: Home
) -> None:
    (tmp_path / "rows.db.outbox").write_bytes(b"what InfluxDB has not confirmed")
    services.append(Service(tmp_path, source=home.source, RECONCILE_LOOP__POLL_SECONDS="0.5"))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    assert run(tmp_path, "store", "snapshot", "a.db", "--rows", "rows.db").code == 0
    refused = run(tmp_path, "store", "restore", "a.db", "--rows", "rows.db")
    assert refused.code == 3
    assert f"process {services[0].process.pid}" in refused.err

    home.rename_device("Later")
    seen = wait_for_changes(address, 205)
    assert services[0].stop()[0] == 0
    assert run(tmp_path, "store", "restore", "a.db", "--rows", "rows.db").code == 0
    assert (tmp_path / "rows.db.outbox").read_bytes() == b"what InfluxDB has not confirmed"

    services.append(Service(tmp_path, source=home.source))
    address = services[1].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    for cursor in (205, seen):  # of the moment of the snapshot, and of the future it no longer has
        with pytest.raises(urllib.error.HTTPError) as gone:
            get(address, f"/api/changes?after={cursor}")
        with gone.value as answer:
            assert answer.code == 410
            assert json.load(answer)["type"].endswith("cursor-expired")
        assert first_event(address, cursor) == "event: reset"
    assert services[1].stop()[0] == 0
    renamed = (
        apsw.Connection(str(tmp_path / "rows.db")).execute("SELECT name_by_user FROM devices").fetchall()
    )
    assert ("Later",) in renamed  # what the snapshot did not have


def first_event(address: str, cursor: int) -> str:
    """The first event of a stream that resumes after `cursor`."""
    request = urllib.request.Request(f"{address}/api/changes/stream", headers={"Last-Event-ID": str(cursor)})
    with urllib.request.urlopen(request, timeout=30) as stream:
        lines: Iterator[str] = (line.decode().rstrip() for line in stream)
        return next(line for line in lines if line.startswith("event:"))
