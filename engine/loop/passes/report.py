"""Combines the results of one pass's replicas into one report."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engine.core.records.registries import REGISTRIES
from engine.core.state.report import (
    SCHEMA_VERSION,
    ErrorReport,
    ReplicaReport,
    Report,
    SourceReport,
    unknown_replica,
)
from engine.core.times import Instant
from engine.core.words import Mode, combined_status
from engine.errors import EngineError, SourceError
from engine.loop.passes.context import PassContext
from engine.loop.passes.missing_records import note_absences
from engine.loop.passes.options import PassOptions
from engine.loop.passes.replica_pass import ReplicaPass


def apply_passes(context: PassContext, passes: Sequence[ReplicaPass]) -> None:
    """Apply the compared replicas, if the mode is `apply`, and record absences, in the calling thread."""
    if context.options.mode == Mode.APPLY:
        with context.phase("apply"):
            for one in passes:
                one.apply()
            note_absences(context, passes)


def report_pass(context: PassContext, passes: Sequence[ReplicaPass], started: float) -> Report:
    """The report of a pass that began at `started`: Unix seconds, by the context's clock."""
    desired, errors = context.desired, context.errors
    parts = [replica_pass.report() for replica_pass in passes]
    health = desired.reading.health
    source = SourceReport(
        desired.reading.origin,
        True,
        health.ha_version,
        health.state,
        len(desired.home.records),
        tuple(registry for registry in REGISTRIES if registry in desired.reading.registries),
        backup_at=Instant(context.read_at) if desired.reading.is_frozen else None,
        note=desired.reading.note,
    )
    replicas = [replica for replica, _ in parts]
    seconds = context.clock() - started
    return msgspec.structs.replace(
        _report(context.options, source, replicas, errors, at=context.read_at, seconds=seconds),
        records=tuple(record for _, records in parts for record in records),
        partial=bool(errors) and len(errors) < len(passes),
        phase_seconds=context.phase_seconds,
        set_aside=desired.home.set_aside,
    )


def report_unread(
    options: PassOptions,
    origin: str,
    error: SourceError,
    replicas: Iterable[str],
    *,
    at: float,
    seconds: float,
) -> Report:
    """The report of a pass that could not read Home Assistant at this time, Unix seconds, and compared no replica."""
    unknown = [unknown_replica(name, None) for name in replicas]
    return _report(options, SourceReport(origin, False), unknown, {"source": error}, at=at, seconds=seconds)


def _report(
    options: PassOptions,
    source: SourceReport,
    replicas: Sequence[ReplicaReport],
    errors: Mapping[str, EngineError],
    *,
    at: float,
    seconds: float,
) -> Report:
    return Report(
        schema_version=SCHEMA_VERSION,
        status=combined_status([replica.status for replica in replicas]),
        mode=options.mode,
        run_id=options.run_id,
        site=options.site,
        compared_at=Instant(at),
        duration_seconds=round(seconds, 6),
        source=source,
        replicas=tuple(replicas),
        records=(),
        errors=tuple(ErrorReport.of(subject, error) for subject, error in errors.items()),
        partial=False,
    )
