"""Composes InfluxDB from settings: the records replica, its checks, and HomeIQ's old measurements.

Separate from `run.py` so that its client is not loaded for the many homes without InfluxDB.
"""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from engine.core.compare.diff import Cause, Kind
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import RecordReport
from engine.core.times import Instant
from engine.core.words import Outcome
from engine.ports import Records
from engine.replicas.influx.doctor import InfluxCheck, check_server
from engine.replicas.influx.open import open_influx, open_wire, random_slot
from engine.replicas.influx.options import InfluxOptions
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.influx.schema.legacy import LegacyRow, find_legacy
from engine.replicas.influx.wires.http import Credentials
from engine.replicas.influx.wires.wire import Wire
from engine.settings.sections import LoadedSettings

_DAY_SECONDS = 86_400


def open_influx_records(loaded: LoadedSettings, *, read_only: bool) -> Records:
    """The records replica in InfluxDB. Connects to nothing yet. Raises SettingsError."""
    settings = loaded.settings
    options = InfluxOptions(
        site=settings.site.name,
        refresh_seconds=settings.records.refresh_days * _DAY_SECONDS,
        verify_seconds=settings.records.verify_seconds,
        writer_slot=random_slot(),
        # A service in observe mode keeps the stores open for its lifetime, and writes nothing either.
        read_only=read_only or settings.plan.mode == "observe",
    )
    # A separate file: a commit to the rows file would look as if another program had edited the rows.
    path = Path(f"{settings.rows.file}.outbox")
    outbox = open_outbox("influxdb", path, bytes_max=settings.records.outbox_bytes_max)
    return open_influx(
        settings.records.uri,
        _credentials(loaded),
        options,
        outbox=outbox,
        timeout_seconds=settings.records.timeout_seconds,
    )


def check_influx(loaded: LoadedSettings, clock: Callable[[], float] = time.time) -> tuple[InfluxCheck, ...]:
    """The findings of `reconcile doctor` about InfluxDB; failures are findings too. Raises SettingsError."""
    records = loaded.settings.records
    with closing(_open_wire(loaded)) as wire:
        return check_server(
            wire,
            site=loaded.settings.site.name,
            refresh_wanted_seconds=records.refresh_days * _DAY_SECONDS,
            clock=clock,
        )


def legacy_records(loaded: LoadedSettings, desired: Snapshot) -> tuple[RecordReport, ...]:
    """HomeIQ's old measurements as entries of a drift report: reported, never changed. Raises ReplicaError."""
    with closing(_open_wire(loaded)) as wire:
        found = find_legacy(wire, desired)
    duplicates = (_legacy_record(row, Kind.STALE) for row in found.stale_duplicates)
    return (*duplicates, *(_legacy_record(row, Kind.ORPHANED) for row in found.removed))


def _legacy_record(row: LegacyRow, kind: Kind) -> RecordReport:
    tags = ", ".join(f"{name}={value}" for name, value in sorted(row.tags.items()))
    why = {
        Kind.STALE: f"an older series of it ({tags}); a change of a tag began a new one",
        Kind.ORPHANED: f"Home Assistant does not have it; the series ({tags}) has no end",
    }[kind]
    is_entity = row.measurement == "entities"
    return RecordReport(
        replica=f"influxdb, HomeIQ's {row.measurement}",
        registry="entity" if is_entity else "device",
        key=row.id,
        name=row.id,
        kind=kind,
        cause=Cause.FOREIGN,
        action=None,
        outcome=Outcome.REPORTED,
        fields=(),
        source_hash=None,
        replica_hash=None,
        applied_hash=None,
        since=Instant(row.newest_at),
        why=(why, "it is never written or deleted by this program"),
        entity_id=row.id if is_entity else None,
    )


def _open_wire(loaded: LoadedSettings) -> Wire:
    records = loaded.settings.records
    return open_wire(records.uri, _credentials(loaded), timeout_seconds=records.timeout_seconds)


def _credentials(loaded: LoadedSettings) -> Credentials:
    return Credentials(loaded.records_token, loaded.settings.records.username, loaded.records_password)
