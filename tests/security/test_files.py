"""Files that we create: only their owner can read them under any umask, and no planted link redirects us."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from engine.__main__ import main
from engine.errors import SettingsError
from engine.files.store_lock import hold_store
from engine.replicas.influx.outbox import open_outbox

SOURCE = f"capture:{Path(__file__).parents[2] / 'ops' / 'sample' / 'home-2026.11'}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("RECONCILE_", "SUPERVISOR_", "CREDENTIALS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    return tmp_path


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=lambda mask: f"umask {mask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def reconcile(*argv: str) -> int:
    return main([*argv, "--source", SOURCE, "--rows", "var/rows.db", "--records", "history:var/history.db"])


def test_files_with_the_inventory_are_private_to_their_owner(tmp_path: Path, umask: int) -> None:
    assert reconcile("--plan-out", "plan.json") == 0
    assert reconcile("--metrics-file", "pass.prom") == 0
    var = tmp_path / "var"
    outbox = open_outbox("influxdb", var / "rows.db.outbox", bytes_max=1_000_000)
    outbox.put("influxdb", b"ha_device,id=x a=1")
    with hold_store(var / "rows.db"), apsw.Connection(str(var / "rows.db")) as reader:
        reader.execute("SELECT count(*) FROM devices").fetchall()
        modes = {path.name: mode_of(path) for path in var.iterdir()}
    outbox.close()
    wanted = {"rows.db", "rows.db-wal", "rows.db-shm", "rows.db.lock", "rows.db.outbox", "history.db"}
    assert wanted <= modes.keys()
    assert set(modes.values()) == {0o600}, modes
    assert mode_of(tmp_path / "plan.json") == 0o600
    # Numbers without names; the exporter that reads them runs as another user.
    assert mode_of(tmp_path / "pass.prom") == 0o644


def test_a_database_that_others_may_read_stays_as_its_owner_made_it(tmp_path: Path) -> None:
    apsw.Connection(str(tmp_path / "var" / "rows.db")).close()
    (tmp_path / "var" / "rows.db").chmod(0o640)
    assert reconcile() == 0
    assert mode_of(tmp_path / "var" / "rows.db") == 0o640


@pytest.mark.parametrize("name", ["plan.json", "pass.prom"])
def test_a_link_where_a_file_is_written_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / name).symlink_to("victim")
    option = "--plan-out" if name == "plan.json" else "--metrics-file"
    assert reconcile(option, name) == 0
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / name).is_symlink()


@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
def test_a_foreign_file_at_the_path_of_the_lock_is_not_followed_or_emptied(tmp_path: Path, kind: str) -> None:
    (tmp_path / "victim").write_text("precious")
    lock = tmp_path / "rows.db.lock"
    if kind == "fifo":
        os.mkfifo(lock)
    elif kind == "folder":
        lock.mkdir()
    else:
        lock.symlink_to("victim" if kind == "link" else "nowhere")
    with pytest.raises(SettingsError, match=r"rows\.db\.lock"), hold_store(tmp_path / "rows.db"):
        pytest.fail("it was taken for a lock")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_link_to_nothing_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "var" / "rows.db").symlink_to(tmp_path / "nowhere")
    assert reconcile() == 1
    assert "a link to a file that is not there" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
