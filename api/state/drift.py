"""Routes of the drift report: the last pass's report, with the current status."""

from typing import Any

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from api.app_context import AppContext
from api.http.problems import Problem
from api.http.queries import DriftQuery, NoQuery
from api.http.routing import answer_live, route
from api.registries.bodies.options import served_options
from engine.core.compare.plan import FieldChange
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.core.spelling import folded
from engine.core.state.intervals import Freshness
from engine.core.state.report import (
    SCHEMA_VERSION,
    ErrorReport,
    RecordReport,
    ReplicaReport,
    Report,
    SourceReport,
    unknown_replica,
)
from engine.core.state.status import Status, replica_status, status_word
from engine.core.times import Instant
from engine.core.words import Mode, SyncStatus


class Drift(msgspec.Struct, frozen=True):
    """The report of the last pass, as the command line prints it, one page of its records at a time.

    `status`, each replica's status and `source.connected` are current. If `errors` is not empty,
    the report is incomplete. `set_aside` are rows of Home Assistant that cannot be used and were not
    compared. Before the first pass, times and ids are null.
    """

    schema_version: int
    status: str
    mode: str | None
    run_id: str | None
    site: str
    compared_at: Instant | None
    age_seconds: float | None
    duration_seconds: float | None
    source: SourceReport
    replicas: tuple[ReplicaReport, ...]
    records: tuple[RecordReport, ...]
    count: int
    limit: int
    total: int
    next: str | None
    errors: tuple[ErrorReport, ...]
    partial: bool
    phase_seconds: dict[str, float]
    set_aside: tuple[SetAside, ...]


class DriftRecord(msgspec.Struct, frozen=True):
    """One record that differs: `before` is what the replica had, `after` what Home Assistant has."""

    record: RecordReport
    before: dict[str, Any]
    after: dict[str, Any]
    status: str
    compared_at: Instant


@route("/api/drift", Drift, statuses=(404,))
async def get_drift(context: AppContext, _request: Request, query: DriftQuery) -> Response:
    """The differences between Home Assistant and the replicas in the last pass, and up to 200 records that it wrote."""
    status, now = context.status(), context.clock()
    report = status.report or _no_report(status)
    if query.replica is not UNSET:
        check_replica(query.replica, status)
    wanted = [
        (_page_key(record), record)
        for record in report.records
        if _is_wanted(query.replica, record.replica)
        and _is_wanted(query.registry, record.registry)
        and _is_wanted(query.kind, record.kind)
    ]
    behind = sorted(((k, r) for k, r in wanted if k > query.after), key=lambda pair: pair[0])
    page = behind[: query.limit]
    body = Drift(
        schema_version=report.schema_version,
        status=status_word(status, now, context.freshness),
        mode=status.report.mode if status.report else None,
        run_id=report.run_id or None,
        site=report.site,
        compared_at=status.report.compared_at if status.report else None,
        age_seconds=_age(status.report, now),
        duration_seconds=report.duration_seconds if status.report else None,
        source=_source_now(status, report),
        replicas=_replicas_now(status, report, now, context.freshness),
        records=tuple(served_record(record) for _, record in page),
        count=len(page),
        limit=query.limit,
        total=len(wanted),
        next=page[-1][0] if len(behind) > len(page) else None,
        errors=report.errors,
        partial=report.partial,
        phase_seconds=report.phase_seconds,
        set_aside=report.set_aside,
    )
    return answer_live(body)


@route("/api/drift/{replica}/{registry}/{key:path}", DriftRecord, statuses=(404,))
async def get_drift_record(context: AppContext, request: Request, _query: NoQuery) -> Response:
    """One record that differs, before and after."""
    wanted = tuple(request.path_params[name] for name in ("replica", "registry", "key"))
    status = context.status()
    check_replica(wanted[0], status)
    if wanted[1] not in REGISTRIES:
        raise Problem(
            404, f"There is no registry {wanted[1][:64]!r}. Known here: {', '.join(sorted(REGISTRIES))}."
        )
    for record in status.report.records if status.report else ():
        if (record.replica, record.registry, folded(record.key)) == (*wanted[:2], folded(wanted[2])):
            served = served_record(record)
            before = {f.name: f.replica for f in served.fields}
            after = {f.name: f.source for f in served.fields}
            word = status_word(status, context.clock(), context.freshness)
            assert status.report is not None, "its record was found"
            return answer_live(DriftRecord(served, before, after, word, status.report.compared_at))
    if any(r.replica == wanted[0] and r.compared_at is None for r in status.replicas):
        raise Problem(404, "Nothing was compared yet, so it is not known whether this record differs.")
    raise Problem(404, "The last pass found no difference under this replica, registry and key.")


def _source_now(status: Status, report: Report) -> SourceReport:
    """The source of the records; its state is unknown while it cannot be reached."""
    is_connected = status.source.connected
    state = report.source.state if is_connected else None
    return msgspec.structs.replace(report.source, connected=is_connected, state=state)


def _replicas_now(
    status: Status, report: Report, now: float, freshness: Freshness
) -> tuple[ReplicaReport, ...]:
    """The last pass's reports on the replicas, with each one's current status."""
    words = {replica.replica: replica_status(replica, now, freshness)[0] for replica in status.replicas}
    return tuple(
        msgspec.structs.replace(found, status=words.get(found.replica, found.status))
        for found in report.replicas
    )


def _no_report(status: Status) -> Report:
    source = status.source
    return Report(
        schema_version=SCHEMA_VERSION,
        status=SyncStatus.UNKNOWN,
        mode=Mode.OBSERVE,
        run_id="",
        site=status.site,
        compared_at=Instant(0),
        duration_seconds=0.0,
        source=SourceReport(source.uri, source.connected, source.version, source.state),
        replicas=tuple(unknown_replica(replica.replica, replica.error) for replica in status.replicas),
        records=(),
        errors=(),
        partial=False,
    )


def _age(report: Report | None, now: float) -> float | None:
    if report is None:
        return None
    return round(max(0.0, now - report.compared_at), 3)


def _page_key(record: RecordReport) -> str:
    return f"{record.replica}/{record.registry}/{record.key}"


def check_replica(wanted: str, status: Status) -> None:
    """Raises Problem 404 for an unknown replica, because an empty answer would claim that it does not differ."""
    records = status.report.records if status.report else ()
    known = {replica.replica for replica in status.replicas} | {record.replica for record in records}
    if wanted not in known:
        raise Problem(404, f"There is no replica {wanted[:64]!r}. Known here: {', '.join(sorted(known))}.")


def _is_wanted(wanted: object, value: str) -> bool:
    return wanted is UNSET or wanted == value


def served_record(record: RecordReport) -> RecordReport:
    """The record without possible secrets."""
    if not any(f.name == "options" for f in record.fields):
        return record
    fields = tuple(
        FieldChange(f.name, _options(f.source), _options(f.replica)) if f.name == "options" else f
        for f in record.fields
    )
    return msgspec.structs.replace(record, fields=fields)


def _options(value: Any) -> Any:
    return served_options(value) if isinstance(value, dict) else None


ROUTES = (get_drift, get_drift_record)
