"""What a killed process left, examined without touching it."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import apsw

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.replicas.history.replica import open_history
from engine.replicas.rows.replica import open_rows
from tests.kill.onlooker import Fields, Look, look_at
from tests.replicas.passes import sql


def check_influx(folder: Path, scratch: Path, start: Mapping[Key, Fields]) -> Look | None:
    """What the rows file amounts to, None when there is none; fails unless every file is whole.

    Works on copies, whose logs are recovered from the files alone: the originals stay for the next process.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for name in ("rows.db", "history.db", "rows.db.outbox"):
        for suffix in ("", "-wal", "-journal"):
            if (folder / f"{name}{suffix}").exists():
                shutil.copyfile(folder / f"{name}{suffix}", scratch / f"{name}{suffix}")
        if (scratch / name).exists():
            connection = apsw.Connection(str(scratch / name))
            assert connection.pragma("integrity_check") == "ok", name
            connection.close()
    return look_at(scratch / "rows.db", start) if (scratch / "rows.db").exists() else None


def check_equal(folder: Path, home: Snapshot) -> None:
    """Rows, history and ledger are what Home Assistant has; foreign rows may be beside."""
    rows, history = (
        open_rows(folder / "rows.db", read_only=True),
        open_history(folder / "history.db", read_only=True),
    )
    observed = rows.observe().versions
    assert {key: observed.get(key) for key in home.home.records} == home.home.row_versions
    assert history.observe().versions == home.home.hashes
    assert rows.applied("sqlite") == home.home.row_versions
    assert rows.applied("history") == home.home.hashes
    rows.close()
    history.close()


def revisions(folder: Path) -> list[tuple[object, ...]]:
    return sql(
        folder / "history.db", "SELECT registry, id, rev, op, hash, payload FROM records ORDER BY 1, 2, 3"
    )


def check_revisions(folder: Path) -> None:
    """Every record's revisions are numbered without a gap, and none says what the one before it says."""
    newest: dict[tuple[object, object], tuple[int, object]] = {}
    for registry, id_, rev, _, hash_, _ in revisions(folder):
        number, before = newest.get((registry, id_), (0, None))
        assert (rev, hash_ == before) == (number + 1, False), (registry, id_, rev)
        newest[registry, id_] = number + 1, hash_
