"""Starts reconcile in a Home Assistant app.

    run.py DATA_FOLDER CONFIG_FOLDER SHARE_FOLDER

The app's options become settings, the SQLite file moves to where they say, and root becomes an ordinary user who owns its
folder. Standard library only. Home Assistant's address and token need no option: reconcile knows them from $SUPERVISOR_TOKEN.
"""

import json
import os
import re
import sqlite3
import stat
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import NoReturn

USER = 10001  # of no name; the container has no other user at work
CONFIG_ERROR = 78  # EX_CONFIG of sysexits
SETTINGS = {
    "mode": "RECONCILE_PLAN__MODE",
    "log_level": "RECONCILE_LOG__LEVEL",
    "site": "RECONCILE_SITE__NAME",
    "records": "RECONCILE_RECORDS__URI",
    "records_token": "RECONCILE_RECORDS__TOKEN",
    "records_username": "RECONCILE_RECORDS__USERNAME",
    "records_password": "RECONCILE_RECORDS__PASSWORD",
    "api_token": "RECONCILE_HTTP__TOKEN",
    "allow_deletes": "RECONCILE_PLAN__ALLOW_DELETES",
}
DATABASE = "database"  # the option for where the SQLite file is
ROWS = "home.db"
LOGS = ("-wal", "-shm", "-journal")  # SQLite's, which it finds by the name of the file
# What is beside it: SQLite's log, what InfluxDB has not confirmed, the pass cache, the lock of the service.
BESIDE = ("", "-wal", "-shm", "-journal", ".outbox", ".outbox-wal", ".outbox-shm", ".cache", ".lock")
UNFINISHED = ".moving"
ELSEWHERE = f"Or choose another place with the option {DATABASE}."
# SQLite's log needs memory that its readers share, which these file systems do not have.
NETWORK = {
    "cifs",
    "smb3",
    "smbfs",
    "nfs",
    "nfs4",
    "9p",
    "ceph",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.glusterfs",
}


def main(data: Path, config: Path, share: Path) -> None:
    """Becomes the service; returns only by SystemExit, with a message, when the options are none."""
    options = read_options(data / "options.json")
    environment = {**os.environ, **settings(options)}
    if (config / "reconcile.toml").is_file():
        environment["RECONCILE_CONFIG"] = str(config / "reconcile.toml")
    folders = {"private": data, "share": share / "ha-reconcile", "public": config / "database"}
    chosen = str(options.get(DATABASE) or "private")
    if chosen not in folders:
        refuse(f"The option {DATABASE} is {chosen}. It is one of {', '.join(folders)}.")
    if folders[chosen] != data:
        open_folder(folders[chosen])
    if os.geteuid() == 0:
        hand_over(data)
        become_user()
    move_here(folders[chosen], [folder for folder in folders.values() if folder != folders[chosen]])
    environment["RECONCILE_ROWS__FILE"] = str(folders[chosen] / ROWS)
    os.execvpe("reconcile", ["reconcile", "serve"], environment)  # noqa: S606, S607 (the image's PATH knows it)


def read_options(path: Path) -> dict[str, object]:
    """What the user chose on the app's page, as the Supervisor wrote it."""
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        refuse(f"The app's options in {path} cannot be read: {error}. Save them again on the app's page.")
    if not isinstance(options, dict):
        refuse(f"The app's options in {path} are no object. Save them again on the app's page.")
    return options


def settings(options: dict[str, object]) -> dict[str, str]:
    """The environment variables for the options; an empty option is one that was not given."""
    unknown = sorted(options.keys() - SETTINGS.keys() - {DATABASE})
    if unknown:
        refuse(f"The app does not know the options {', '.join(unknown)}. Remove them on the app's page.")
    given = {name: value for name, value in options.items() if name in SETTINGS and value not in (None, "")}
    return {SETTINGS[name]: str(value) for name, value in given.items()}


def open_folder(folder: Path) -> None:
    """Makes a folder that other apps can see, and gives it with our files in it to the user.

    Who else may write there could have put a link in our way, which would lead root's hands to other files.
    """
    if not folder.parent.is_dir():
        refuse(f"{folder.parent} is not there, so the SQLite file cannot be in {folder}. {ELSEWHERE}")
    kind = file_system(folder.parent if not folder.exists() else folder)
    if kind in NETWORK:
        refuse(
            f"{folder} is on a network share ({kind}), where SQLite cannot keep a file that is read. {ELSEWHERE}"
        )
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o755)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        refuse(f"{folder} is not a usable folder: {error.strerror}. Remove it. {ELSEWHERE}")
    try:
        give(folder, descriptor)
    except OSError as error:
        refuse(f"{folder} cannot be given to the app's user: {error.strerror}. {ELSEWHERE}")
    finally:
        os.close(descriptor)


def give(folder: Path, descriptor: int) -> None:
    """Gives an open folder, and our files in it, to the user. Raises OSError."""
    if os.geteuid() == 0:
        os.fchown(descriptor, USER, USER)
        os.fchmod(descriptor, 0o755)
    for name in (ROWS + ending for ending in (*BESIDE, UNFINISHED)):
        try:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            refuse(
                f"{folder / name} is a link or not a plain file, so it is not used. Remove it. {ELSEWHERE}"
            )
        if os.geteuid() == 0:
            os.chown(name, USER, USER, dir_fd=descriptor, follow_symlinks=False)


def file_system(folder: Path, mounts: str | None = None) -> str:
    """The kind of file system that a folder is on, from the kernel's list of mounts; empty if it is not listed."""
    try:
        text = (
            Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
            if mounts is None
            else mounts
        )
    except OSError:
        return ""
    best, kind = "", ""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) < 5 or not after:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4])
        # The later one of two at the same place lies above.
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def move_here(folder: Path, others: Iterable[Path]) -> None:
    """Moves the SQLite file from where the options had it before; one that stands here already is the one that is used."""
    # A link leads to what these folders do not hold.
    found = [other / ROWS for other in others if not (other / ROWS).is_symlink()]
    elsewhere = [file for file in found if file.is_file()]
    is_here = os.path.lexists(folder / ROWS)
    for source in elsewhere if is_here else elsewhere[1:]:
        print(
            f"{source} is not kept any more, {folder / ROWS} is. Remove it, so that it is not read by mistake.",
            file=sys.stderr,
        )
    if is_here or not elsewhere:
        return
    source = elsewhere[0]
    try:
        for ending in (".outbox", ""):  # the rows last: a move that was cut off begins again
            if (moved := Path(f"{source}{ending}")).is_file():
                copy_whole(moved, folder / f"{ROWS}{ending}")
        for ending in BESIDE:
            Path(f"{source}{ending}").unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        refuse(f"{source} cannot be moved to {folder}: {error}. Nothing was lost. {ELSEWHERE}")
    print(f"The SQLite file was moved from {source} to {folder / ROWS}.", file=sys.stderr)


def copy_whole(source: Path, target: Path) -> None:
    """Copies a database, with what is in its log; it takes its name when it is complete. Raises OSError, sqlite3.Error."""
    unfinished = target.with_name(f"{target.name}{UNFINISHED}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(unfinished)) as new:
            old.backup(new)
            check(new)
        os.fsync(descriptor)
        # The log of a file that stood here once would be applied to this one.
        for ending in LOGS:
            Path(f"{target}{ending}").unlink(missing_ok=True)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def check(database: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError when a database is damaged."""
    (result,) = database.execute("PRAGMA quick_check").fetchone()
    if result != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({result})")


def hand_over(data: Path) -> None:
    """Gives the data folder to the user, except for the options, which may hold secrets of no concern to it."""
    for path in (data, *data.iterdir()):
        if path.name != "options.json":
            os.chown(path, USER, USER, follow_symlinks=False)


def become_user() -> None:
    """Gives up root and all its groups, for good."""
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)


def refuse(message: str) -> NoReturn:
    """Says what is wrong, and ends."""
    print(message, file=sys.stderr)
    sys.exit(CONFIG_ERROR)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
