"""Where the app's SQLite file is: `database` in its options, and what may be in the way in a folder of others."""

import os
import sqlite3
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from tests.fakes.home_assistant import FakeHomeAssistant
from tests.ops.image import Image
from tests.ops.test_home_assistant_app import APP, options, run_app, started
from tests.service_process import Service, get, poll


class Folders(NamedTuple):
    data: Path
    share: Path
    public: Path


@pytest.fixture
def run() -> ModuleType:
    """The run script, not started."""
    spec = spec_from_file_location("app_run", APP / "run.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """As the Supervisor maps them."""
    for name in ("data", "share", "config"):
        (tmp_path / name).mkdir()
    return Folders(tmp_path / "data", tmp_path / "share" / "ha-reconcile", tmp_path / "config" / "database")


def fill(file: Path, name: str = "Sun") -> None:
    """A database with one row, which still is in its log."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE devices (name TEXT)")
        database.execute("INSERT INTO devices VALUES (?)", (name,))
        database.commit()


def names(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        return [name for (name,) in database.execute("SELECT name FROM devices")]


def refused(capsys: pytest.CaptureFixture[str], raised: pytest.ExceptionInfo[SystemExit]) -> str:
    """The one line that is said; the exit code is that of bad settings."""
    assert raised.value.code == 78
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_the_file_is_moved_with_all_it_holds_and_with_what_waits_for_influxdb(
    run: ModuleType, folders: Folders
) -> None:
    fill(folders.data / "home.db")
    fill(folders.data / "home.db.outbox", "waits")
    (folders.data / "home.db.cache").write_text("cache")
    (folders.data / "history.db").write_text("stays")
    run.open_folder(folders.share)
    run.move_here(folders.share, [folders.data, folders.public])
    assert {path.name for path in folders.data.iterdir()} == {"history.db"}
    assert {path.name for path in folders.share.iterdir()} == {"home.db", "home.db.outbox"}
    assert names(folders.share / "home.db") == ["Sun"]
    assert names(folders.share / "home.db.outbox") == ["waits"]
    assert (folders.share / "home.db").stat().st_mode & 0o777 == 0o600
    assert folders.share.stat().st_mode & 0o777 == 0o755
    run.move_here(folders.data, [folders.share, folders.public])  # and back
    assert names(folders.data / "home.db") == ["Sun"]
    assert list(folders.share.iterdir()) == []


def test_what_is_in_the_log_alone_is_moved_too(run: ModuleType, folders: Folders) -> None:
    fill(folders.data / "home.db")
    with closing(sqlite3.connect(folders.data / "home.db")) as other:
        other.execute("INSERT INTO devices VALUES ('Moon')")
        other.commit()
        run.open_folder(folders.public)
        run.move_here(folders.public, [folders.data, folders.share])
    assert names(folders.public / "home.db") == ["Sun", "Moon"]


def test_a_file_that_stands_there_is_used_and_the_other_is_reported_of(
    run: ModuleType, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    folders.share.mkdir()
    fill(folders.share / "home.db", "there")
    fill(folders.data / "home.db", "old")
    run.open_folder(folders.share)
    run.move_here(folders.share, [folders.data, folders.public])
    assert (names(folders.share / "home.db"), names(folders.data / "home.db")) == (["there"], ["old"])
    said = capsys.readouterr().err
    assert f"{folders.data / 'home.db'} is not kept any more" in said


def test_a_link_in_a_folder_that_is_not_chosen_is_not_followed(run: ModuleType, folders: Folders) -> None:
    folders.share.mkdir()
    (folders.share / "home.db").symlink_to(__file__)
    run.move_here(folders.data, [folders.share, folders.public])
    assert not (folders.data / "home.db").exists()


def test_the_log_of_a_removed_file_is_applied_to_nothing(run: ModuleType, folders: Folders) -> None:
    run.open_folder(folders.share)
    for name in ("home.db", "home.db.outbox"):
        fill(folders.data / name)
        (folders.share / f"{name}-wal").touch()
    run.move_here(folders.share, [folders.data, folders.public])
    assert {path.name for path in folders.share.iterdir()} == {"home.db", "home.db.outbox"}


def test_a_move_that_was_cut_off_begins_again(run: ModuleType, folders: Folders) -> None:
    fill(folders.data / "home.db")
    folders.share.mkdir()
    (folders.share / "home.db.moving").write_text("half")
    run.open_folder(folders.share)
    run.move_here(folders.share, [folders.data, folders.public])
    assert [path.name for path in folders.share.iterdir()] == ["home.db"]
    assert names(folders.share / "home.db") == ["Sun"]


def test_what_is_damaged_is_not_moved_and_not_lost(
    run: ModuleType, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    (folders.data / "home.db").write_bytes(b"no database" * 1000)
    run.open_folder(folders.share)
    with pytest.raises(SystemExit) as raised:
        run.move_here(folders.share, [folders.data, folders.public])
    assert "cannot be moved" in refused(capsys, raised)
    assert (folders.data / "home.db").read_bytes() == b"no database" * 1000
    assert list(folders.share.iterdir()) == []


def link_to_folder(folders: Folders) -> None:
    folders.share.symlink_to(folders.data)


def link_to_nothing(folders: Folders) -> None:
    folders.share.symlink_to(folders.data / "none")


def file_in_place_of_the_folder(folders: Folders) -> None:
    folders.share.write_text("mine")


def link_to_a_file(folders: Folders) -> None:
    folders.share.mkdir()
    (folders.share / "home.db").symlink_to(folders.data / "history.db")


def link_in_place_of_the_log(folders: Folders) -> None:
    folders.share.mkdir()
    (folders.share / "home.db-wal").symlink_to(folders.data / "history.db")


def hard_link(folders: Folders) -> None:
    folders.share.mkdir()
    (folders.share / "home.db").hardlink_to(folders.data / "history.db")


def pipe(folders: Folders) -> None:
    folders.share.mkdir()
    os.mkfifo(folders.share / "home.db")


@pytest.mark.parametrize(
    "plant",
    [
        link_to_folder,
        link_to_nothing,
        file_in_place_of_the_folder,
        link_to_a_file,
        link_in_place_of_the_log,
        hard_link,
        pipe,
    ],
)
def test_what_others_put_in_the_way_is_refused_and_nothing_is_touched(
    run: ModuleType, folders: Folders, capsys: pytest.CaptureFixture[str], plant: object
) -> None:
    (folders.data / "history.db").write_text("mine")
    assert callable(plant)
    plant(folders)
    owner = (folders.data / "history.db").stat().st_uid
    with pytest.raises(SystemExit) as raised:
        run.open_folder(folders.share)
    said = refused(capsys, raised)
    assert str(folders.share) in said
    assert "option database" in said
    assert (folders.data / "history.db").read_text() == "mine"
    assert (folders.data / "history.db").stat().st_uid == owner


def test_without_the_share_it_says_so(
    run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        run.open_folder(tmp_path / "none" / "ha-reconcile")
    assert f"{tmp_path / 'none'} is not there" in refused(capsys, raised)


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 /share /share rw - ext4 /dev/sda8 rw
31 30 0:50 / /share/ha-reconcile rw - cifs //nas/home rw
32 30 0:51 / /share/with\\040space rw - nfs4 nas:/x rw
nonsense
33 30 8:3 / /share/twice rw - nfs nas:/y rw
34 30 8:3 / /share/twice rw - ext4 /dev/sdb rw
"""


def test_the_kind_of_file_system_is_that_of_the_nearest_mount(run: ModuleType) -> None:
    kinds = {
        "/share": "ext4",
        "/share/ha-reconcile": "cifs",
        "/share/ha-reconcile/x": "cifs",
        "/share/ha-reconcile-2": "ext4",
        "/share/with space/x": "nfs4",
        "/share/twice": "ext4",
        "/data": "ext4",
    }
    assert {path: run.file_system(Path(path), MOUNTS) for path in kinds} == kinds
    assert run.file_system(Path("/"), "") == ""
    assert run.file_system(Path("/proc")) == "proc"


def test_a_network_share_is_refused(
    run: ModuleType,
    folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run, "file_system", lambda _folder: "cifs")
    with pytest.raises(SystemExit) as raised:
        run.open_folder(folders.share)
    assert "network share (cifs)" in refused(capsys, raised)
    assert not folders.share.exists()


@pytest.mark.long
@pytest.mark.slow
def test_other_programs_read_the_file_in_the_share_while_the_app_keeps_it_there(
    app_image: Image, core: FakeHomeAssistant, services: list[Service]
) -> None:
    def serve(**chosen: object) -> str:
        environ = {**options(app_image, **chosen), "RECONCILE_SOURCE__URI": core.uri}
        services.append(Service.started_by(started(app_image), app_image.folder, environ))
        port = services[-1].wait_until_serving().rpartition(":")[2]
        poll(f"http://127.0.0.1:{port}", "/api/status", "in_sync")
        return f"http://127.0.0.1:{port}"

    for place in ("data/home.db", "share/ha-reconcile/home.db"):
        (app_image.root / place).unlink(missing_ok=True)
    private, shared = (app_image.root / name for name in ("data/home.db", "share/ha-reconcile/home.db"))
    address = serve()
    before, feed = names_of_devices(private), get(address, "/api/changes?limit=1000")["changes"]
    services[-1].stop()
    address = serve(database="share")
    assert names_of_devices(shared) == before != []
    assert not private.exists()
    # It is the same file, with its feed: nothing was rewritten.
    assert get(address, "/api/changes?limit=1000")["changes"] == feed != []
    assert "moved from" in "".join(services[-1].lines)
    services[-1].stop()
    serve(database="private")
    assert names_of_devices(private) == before
    services[-1].stop()


def names_of_devices(file: Path) -> list[str]:
    command = f"{file.as_uri()}?mode=ro"
    with closing(sqlite3.connect(command, uri=True)) as database:
        return [name for (name,) in database.execute("SELECT device_id FROM devices ORDER BY 1")]


@pytest.mark.long
@pytest.mark.slow
def test_a_place_that_is_none_is_one_clear_error(app_image: Image) -> None:
    done = run_app(app_image, options(app_image, database="cellar"))
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "cellar" in done.stderr
