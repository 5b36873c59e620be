"""What the replicas of one pass add up to, as one document."""

from collections.abc import Sequence

from engine.core.records.registries import REGISTRIES
from engine.core.state.report import (
    SCHEMA_VERSION,
    ErrorReport,
    Report,
    SourceReport,
)
from engine.core.times import Instant
from engine.core.words import combined_status
from engine.loop.passes.context import PassContext
from engine.loop.passes.replica_pass import ReplicaPass


def report_pass(context: PassContext, passes: Sequence[ReplicaPass], started: float) -> Report:
    """The report of a pass that began at `started`: Unix seconds, by the context's clock."""
    options, desired, errors = context.options, context.desired, context.errors
    parts = [replica_pass.report() for replica_pass in passes]
    replicas = tuple(replica for replica, _ in parts)
    health = desired.reading.health
    return Report(
        schema_version=SCHEMA_VERSION,
        status=combined_status([replica.status for replica in replicas]),
        mode=options.mode,
        run_id=options.run_id,
        site=options.site,
        compared_at=Instant(context.read_at),
        duration_seconds=round(context.clock() - started, 6),
        source=SourceReport(
            desired.reading.origin,
            True,
            health.ha_version,
            health.state,
            len(desired.home.records),
            tuple(registry for registry in REGISTRIES if registry in desired.reading.registries),
        ),
        replicas=replicas,
        records=tuple(record for _, records in parts for record in records),
        errors=tuple(ErrorReport.of(subject, error) for subject, error in errors.items()),
        partial=bool(errors) and len(errors) < len(passes),
        phase_seconds=context.phase_seconds,
        set_aside=desired.home.set_aside,
    )
