"""The check of `reconcile doctor` for the history file's size: its growth, its retention, and when the disk is full."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from engine.composition.compaction import history_growth
from engine.core.counts import plural
from engine.core.state.kept_past import Growth
from engine.core.times import rfc3339
from engine.errors import EngineError
from engine.settings.records import HistorySettings
from engine.settings.sections import LoadedSettings

_DAY_SECONDS = 86_400
_YEAR_DAYS = 365
_MIB = 1024 * 1024


class Size(NamedTuple):
    """The finding, what to change, and whether that is urgent."""

    is_well: bool
    message: str
    hint: str


def look_at_size(loaded: LoadedSettings) -> Size | None:
    """The size of the history file and its outlook; None if there is none, or it cannot be read."""
    scheme, _, rest = loaded.settings.records.uri.partition(":")
    path = Path(os.path.realpath(rest))
    if scheme != "history" or not path.is_file():
        return None
    try:
        growth = history_growth(loaded)
    except EngineError:
        return None  # the check of the records reports the fault
    return judge(path.stat().st_size, shutil.disk_usage(path.parent).free, growth, loaded.settings.history)


def judge(size: int, free: int, growth: Growth, kept: HistorySettings) -> Size:
    """The finding for a history file of `size` bytes on a disk with `free` bytes free."""
    a_day = growth.bytes_per_second * _DAY_SECONDS
    parts = [
        f"{size / _MIB:,.1f} MiB, about {a_day * _YEAR_DAYS / _MIB:,.1f} MiB more a year",
        _kept(growth, kept),
    ]
    if growth.doubt:
        hint = "Set the clock. If it is right, run `reconcile history compact --before TIME`."
        return Size(False, f"{parts[0]}; nothing is forgotten, because {growth.doubt}", hint)
    if a_day and not kept.keep_days and free / a_day < _YEAR_DAYS:
        days = int(free / a_day)
        hint = "Set history.keep_days, or history.thin_seconds if a record flaps, and run `reconcile history compact`."
        return Size(
            False, f"{'; '.join(parts)}; at this pace the disk is full in {plural(days, 'day')}", hint
        )
    return Size(True, "; ".join(parts), "")


def _kept(growth: Growth, kept: HistorySettings) -> str:
    known = "" if growth.known_from is None else f", known from {rfc3339(growth.known_from)} on"
    thinned = f", one version per record and {kept.thin_seconds} s" if kept.thin_seconds else ""
    counts = growth.forgotten_by_age + growth.forgotten_by_thinning
    forgotten = f" ({plural(counts, 'version', ',')} forgotten)" if counts else ""
    verb = "is" if kept.keep_days == 1 else "are"
    days = f"{plural(kept.keep_days, 'day')} {verb} kept" if kept.keep_days else "kept forever"
    return f"{days}{thinned}{known}{forgotten}"
