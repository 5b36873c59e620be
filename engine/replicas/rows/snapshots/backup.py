"""Takes a snapshot of the rows file: its rows and ledger at one moment, in a separate SQLite file.

Other programs may write meanwhile. A new snapshot only replaces an older one when it is complete, on the disk, and
read back: SQLite's own check, the tables' version, and every row hashed from its values.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import apsw
import msgspec

from engine.errors import ReplicaDamaged, ReplicaRejected
from engine.files.modes import check_replaceable
from engine.replicas.rows.ledger import entries
from engine.replicas.rows.reader import observe_rows
from engine.replicas.rows.replica import NAME
from engine.replicas.rows.schema import check_schema
from engine.replicas.sqlite_file.database import ApswFile
from engine.replicas.sqlite_file.tables import has_table

_LOGS = ("-wal", "-journal")
_WANTED = "Name a file that `reconcile store snapshot` made."


class Content(msgspec.Struct, frozen=True):
    """The content found in a rows file."""

    records: int
    as_applied: int  # the rows among them that are exactly as the engine last wrote them


def take_snapshot(rows: Path, target: Path) -> Content:
    """Copy the rows file to `target`, with mode 0600, in one step. Raises ReplicaError; `target` is then unchanged."""
    content = ApswFile(NAME, rows).copy()
    try:
        found = check_content(content, rows)
        write_copy(content, target, is_checked=True)
        return found
    finally:
        content.close()


def read_snapshot(path: Path) -> tuple[apsw.Connection, Content]:
    """Load a snapshot into memory; also returns its content. Raises ReplicaError if it is not a snapshot, or damaged."""
    if not path.is_file():
        raise ReplicaRejected(NAME, f"{path} is no file.", _WANTED)
    try:
        connection = ApswFile(NAME, path).copy()
    except ReplicaDamaged as error:
        # It is not the rows file, which may be moved away and rebuilt.
        raise ReplicaDamaged(NAME, error.message, f"Nothing was changed. {_WANTED}") from error
    try:
        return connection, check_content(connection, path)
    except BaseException:
        connection.close()
        raise


def check_content(connection: apsw.Connection, path: Path) -> Content:
    """The content of a database, with every row read and hashed. Raises ReplicaRejected if it is damaged or not ours.

    `path` is its origin, for the message.
    """
    with ApswFile(NAME, path).translated("read"):
        found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(3)")]
        if found != ["ok"]:
            raise ReplicaDamaged(NAME, f"{path} is damaged: {'; '.join(found)}.", "Use another copy of it.")
        if not has_table(connection, "reconcile_meta"):
            raise ReplicaRejected(
                NAME,
                f"{path} is not kept by reconcile.",
                "A file that rows.file named is, after its first pass, and so is a snapshot of it.",
            )
        check_schema(connection, NAME)
        versions = observe_rows(connection, NAME, trust_digests=False)
        applied = entries.read_applied(connection, NAME)
        as_applied = sum(versions.get(key) == version for key, version in applied.items())
        return Content(len(versions), as_applied)


def write_copy(content: apsw.Connection, target: Path, *, is_checked: bool) -> None:
    """Write a database to `target`, with mode 0600, in one step. Raises ReplicaError; `target` is then unchanged.

    With `is_checked` it is read back and passes `check_content` before it replaces `target`.
    """
    with ApswFile(NAME, target).translated("write"):
        check_replaceable(target)
        _check_no_log(target)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # of mode 0600
        os.close(descriptor)
        temporary = Path(name)
        try:
            file = ApswFile(NAME, temporary)
            file.replace(content, journal_mode="delete")  # so that it is one file
            file.close()
            if is_checked:
                read_snapshot(temporary)[0].close()
            temporary.replace(target)
            _sync(target.parent)
        finally:
            for suffix in ("", "-shm", *_LOGS):
                temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


def _check_no_log(target: Path) -> None:
    """Raises ReplicaRejected if SQLite, which finds a log by its name, would apply another file's log to `target`."""
    for log in (target.with_name(f"{target.name}{ending}") for ending in _LOGS):
        with suppress(FileNotFoundError):
            if log.lstat().st_size:
                raise ReplicaRejected(
                    NAME,
                    f"{log} is the log of another database, and SQLite would apply it to what is written to {target}.",
                    "Name another file, or remove the log if no program uses it.",
                )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
