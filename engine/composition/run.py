"""The composition root: with the other modules of this package the only one that names concrete adapters.

Imports of adapters are local, because each brings its library and most commands need few of them.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.composition.source_names import RECORDS_URI
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import ErrorReport, Report
from engine.core.words import Mode
from engine.errors import ReplicaError
from engine.files.store_lock import hold_store
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.pass_cache.file import PassCacheFile
from engine.ports import Progress, Replica, Source
from engine.process.clock import ProcessClock
from engine.process.offload import to_thread
from engine.settings.sections import LoadedSettings, Settings

if TYPE_CHECKING:
    from engine.replicas.rows.snapshots.backup import Content
    from engine.replicas.rows.snapshots.restore import Restored
from engine.composition.sources import RememberingSource, open_records_source, open_source
from engine.composition.stores import Clock, check_folders, is_influx, open_stores, store_places


def typed_names(loaded: LoadedSettings, begun: str) -> Mapping[str, str]:
    """The names in the rows file that begin with `begun`, each with another name of its record. Raises ReplicaError."""
    from engine.replicas.rows.queries.typed_names import find_typed_names

    return find_typed_names(Path(loaded.settings.rows.file), begun)


def snapshot_store(loaded: LoadedSettings, target: Path) -> "Content":
    """Copy the rows file to `target`, even while other programs use it. Raises ReplicaError."""
    from engine.replicas.rows.snapshots.backup import take_snapshot

    return take_snapshot(Path(loaded.settings.rows.file), target)


def restore_store(loaded: LoadedSettings, snapshot: Path, clock: Clock = time.time) -> "Restored":
    """Put a snapshot back. Raises StoreHeld while a service keeps the store, and ReplicaError."""
    from engine.replicas.rows.snapshots.restore import restore_rows

    rows = Path(loaded.settings.rows.file)
    with hold_store(rows):
        return restore_rows(snapshot, rows, clock())


async def reconcile_once(
    loaded: LoadedSettings, options: PassOptions, progress: Progress, clock: Clock = time.time
) -> Report:
    """One pass over the home that the settings name. Only mode `apply` can write."""
    check_folders(loaded.settings)
    times = ProcessClock(clock)
    with open_stores(loaded, private_copy=options.mode != Mode.APPLY) as stores:
        replicas: Sequence[Replica] = stores.replicas
        if loaded.settings.source.uri == RECORDS_URI:
            source: Source = open_records_source(stores, times)
            replicas = [stores.rows]
        else:
            source = open_source(loaded, times, stores, calendar=times.calendar)
        remembered = RememberingSource(source) if options.mode == Mode.DRIFT else None
        asked, cache, calendar = remembered or source, PassCacheFile(stores.rows.path), times.calendar
        made = Reconciler(asked, replicas, stores.rows, times, progress, calendar=calendar, cache=cache)
        report = await made.run(options)
    if remembered is not None and remembered.newest is not None:
        return await to_thread(partial(_with_legacy, loaded, remembered.newest, report))
    return report


def _with_legacy(loaded: LoadedSettings, desired: Snapshot, report: Report) -> Report:
    """The report with HomeIQ's old measurements in InfluxDB, if that is configured."""
    if not is_influx(loaded.settings.records.uri):
        return report
    from engine.composition.influx import legacy_records

    try:
        found = legacy_records(loaded, desired)
    except ReplicaError as error:
        if any(known.subject == error.replica for known in report.errors):
            return report  # the pass already found it unreachable
        return msgspec.structs.replace(report, errors=(*report.errors, ErrorReport.of(error.replica, error)))
    return msgspec.structs.replace(report, records=(*report.records, *found))


def pass_options(settings: Settings, mode: Mode, at: float) -> PassOptions:
    """The options in the settings for a pass that begins at a time (Unix seconds)."""
    return PassOptions(
        mode=mode,
        policy=settings.plan,
        registries=frozenset(settings.source.registries),
        run_id=new_run_id(at),
        site=settings.site.name,
        places=store_places(settings),
    )


def new_run_id(at: float) -> str:
    """A run's id: sortable by time, unique within a second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
