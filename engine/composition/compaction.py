"""Opens the history file with the retention in the settings, and compacts it for the command.

The command takes the service's steps, and further ones that are only possible while no service runs.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engine.core.state.kept_past import Growth
from engine.core.times import rfc3339
from engine.errors import EngineError, ReplicaError, StoreHeld
from engine.files.store_lock import hold_store
from engine.replicas.history.housekeeping import Housekeeper
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.history.retention import Retention
from engine.replicas.sqlite_file.database import ApswFile
from engine.settings.sections import LoadedSettings

_NS = 1_000_000_000
_LOOKS, _LOOK_SECONDS = 30, 0.1


class Compaction(msgspec.Struct, frozen=True):
    """What was, or would be, forgotten: numbers of revisions; the time from which the home is known; sizes with the log."""

    by_age: int
    by_thinning: int
    known_from: str | None
    bytes_before: int
    bytes_after: int
    note: str | None = None


def open_kept_history(
    loaded: LoadedSettings, *, private_copy: bool, clock: Callable[[], float] = time.time
) -> HistoryFile:
    """The history file that `records.uri` names."""
    kept = loaded.settings.history
    return open_history(
        _path(loaded),
        private_copy=private_copy,
        cache_kib=loaded.settings.rows.cache_kib,
        retention=Retention(kept.keep_days, kept.thin_seconds),
        clock=clock,
    )


def compact_history(
    loaded: LoadedSettings,
    *,
    before: float | None,
    dry_run: bool,
    clock: Callable[[], float] = time.time,
) -> Compaction:
    """Forget what the settings allow, or what is older than `before` (Unix seconds).

    Raises ReplicaError, and EngineError when the clock cannot be trusted.
    """
    path = _path(loaded)
    history = open_kept_history(loaded, private_copy=dry_run, clock=clock)
    try:
        housekeeper = history.housekeeper
        plan = housekeeper.plan(before_ns=None if before is None else int(before * _NS))
        if plan.doubt:
            raise EngineError(
                f"Nothing is forgotten, because the current time is uncertain: {plan.doubt}.",
                "Set the clock. If it is right, give the time yourself: --before TIME.",
            )
        size = _size(path)
        edge_ns = max((s.end_ns for s in plan.stretches if not s.interval_ns), default=0)
        if dry_run:
            by_age, by_thinning = housekeeper.count(plan)
            known = edge_ns / _NS if by_age else housekeeper.growth.known_from
            return Compaction(by_age, by_thinning, _text(known), size, size)
        _run_steps(history.file, housekeeper.steps(plan))
        found = housekeeper.growth
        note = _give_back(history.file, housekeeper, Path(loaded.settings.rows.file))
        note = _empty_log(history.file) or note
        return Compaction(
            found.forgotten_by_age - plan.memory.forgotten_by_age,
            found.forgotten_by_thinning - plan.memory.forgotten_by_thinning,
            _text(found.known_from),
            size,
            _size(path),
            note,
        )
    finally:
        history.close()


def history_growth(loaded: LoadedSettings, clock: Callable[[], float] = time.time) -> Growth:
    """The growth of the history file, and what it forgot. Changes nothing. Raises ReplicaError."""
    history = open_kept_history(loaded, private_copy=True, clock=clock)
    try:
        history.housekeeper.plan()
        return history.growth()
    finally:
        history.close()


def _give_back(file: ApswFile, housekeeper: Housekeeper, rows: Path) -> str | None:
    """Return free space to the disk; returns the reason if that fails."""
    free_bytes, in_steps = file.free_space()
    if not free_bytes:
        return None
    if in_steps:
        _run_steps(file, housekeeper.give_back())
        return None
    reason = _why_not_rebuild(file, rows)
    if reason is None:
        return None
    return f"{free_bytes:,} bytes are free in the file and will be used again; they were not given back: {reason}"


def _run_steps(file: ApswFile, steps: Iterator[int]) -> None:
    """Run all steps, and keep the log from growing to the size of the file."""
    for _ in steps:
        file.shorten_log(is_calm=False)


def _empty_log(file: ApswFile) -> str | None:
    """Move the log's content into the file, so that its size shows; returns the reason if that fails."""
    for _ in range(_LOOKS):
        if file.shorten_log(is_calm=True):
            return None
        time.sleep(_LOOK_SECONDS)  # a service that reads the changes finishes in a moment
    return "Another program reads the file, which shrinks as soon as that program ends its transaction."


def _why_not_rebuild(file: ApswFile, rows: Path) -> str | None:
    # A file of an earlier release is rebuilt once; after that it can return space in steps.
    free = shutil.disk_usage(os.path.dirname(os.path.abspath(file.path))).free  # noqa: PTH100, PTH120 (links stay)
    needed = 2 * _size(file.path)
    if free < needed:
        return f"rebuilding the file takes {needed:,} bytes on the disk, and {free:,} are free."
    try:
        with hold_store(rows):
            file.rebuild()
    except StoreHeld:
        return "that keeps others waiting, and a service is running. Stop it and run this again."
    except ReplicaError as error:
        return error.message
    return None


def _text(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _path(loaded: LoadedSettings) -> Path:
    return Path(loaded.settings.records.uri.partition(":")[2])


def _size(path: Path) -> int:
    real = Path(os.path.realpath(path))
    return sum(file.stat().st_size for file in (real, real.with_name(f"{real.name}-wal")) if file.exists())
