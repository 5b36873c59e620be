"""Hand-made reports for the tests of exact output."""

from datetime import datetime
from typing import Any

import msgspec

from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Action, FieldChange
from engine.core.state.report import (
    Counts,
    ErrorReport,
    PlanCounts,
    RecordReport,
    RefusalReport,
    ReplicaReport,
    Report,
    SourceReport,
)
from engine.core.times import Instant
from engine.core.words import GuardName, Mode
from tests import homes

NOON = Instant(homes.NOON)


def read_report(document: bytes | str) -> Report:
    """A report as it was written."""
    return msgspec.json.decode(document, type=Report, strict=True, dec_hook=_instant)


def _instant(type_: type, text: str) -> Instant:
    assert type_ is Instant
    return Instant(datetime.fromisoformat(text).timestamp())


def record(name: str, **given: Any) -> RecordReport:
    fields: dict[str, Any] = {
        "replica": "sqlite",
        "registry": "device",
        "key": name.lower(),
        "name": name,
        "kind": Kind.STALE,
        "cause": Cause.PENDING,
        "action": Action.UPSERT,
        "outcome": "planned",
        "fields": (),
        "source_hash": "1:new",
        "replica_hash": "1:old",
        "applied_hash": "1:old",
        "since": NOON,
        **given,
    }
    return RecordReport(**fields)


def added(name: str, **given: Any) -> RecordReport:
    return record(name, **{"kind": Kind.MISSING, "replica_hash": None, "applied_hash": None, **given})


def changed(name: str, *fields: tuple[str, object, object], **given: Any) -> RecordReport:
    """`fields` are (name, in the replica, in Home Assistant)."""
    return record(name, fields=tuple(FieldChange(n, new, old) for n, old, new in fields), **given)


def removed(name: str, **given: Any) -> RecordReport:
    why = ("missing from this read for the first time",)
    return record(
        name, **{"kind": Kind.ORPHANED, "action": Action.DELETE, "source_hash": None, "why": why, **given}
    )


def foreign(name: str, **given: Any) -> RecordReport:
    fields: dict[str, Any] = {
        "kind": Kind.ORPHANED,
        "cause": Cause.FOREIGN,
        "action": None,
        "outcome": "reported",
        "source_hash": None,
        "applied_hash": None,
        "since": None,
        "why": ("Home Assistant does not have it and the engine never wrote it", "no entity belongs to it"),
    }
    return record(name, **{**fields, **given})


def replica(name: str = "sqlite", **given: Any) -> ReplicaReport:
    fields: dict[str, Any] = {
        "status": "in_sync",
        "counts": Counts(),
        "planned": PlanCounts(),
        "applied": PlanCounts(),
        "fingerprint": "f",
        **given,
    }
    return ReplicaReport(replica=name, **fields)


def report(*records: RecordReport, mode: str = "dry_run", **given: Any) -> Report:
    fields: dict[str, Any] = {
        "schema_version": 1,
        "status": "out_of_sync" if records else "in_sync",
        "run_id": "20261123T120000Z-abcdef",
        "site": "home",
        "compared_at": NOON,
        "duration_seconds": 0.1,
        "source": SourceReport("ws://home:8123", True, "2026.11.0", "RUNNING", 183),
        "replicas": (replica(), replica("history")),
        "errors": (),
        "partial": False,
        **given,
    }
    return Report(mode=Mode(mode), records=records, **fields)


def refusal() -> RefusalReport:
    return RefusalReport(
        GuardName.DELETE_RATIO,
        "Plan deletes 412 of 980 records (42%).",
        "To allow this, raise plan.delete_ratio_max (now 0.10), or pass --max-delete 412.",
        412,
    )


def unread() -> Report:
    unknown = tuple(replica(n, status="unknown", fingerprint=None) for n in ("sqlite", "history"))
    error = ErrorReport("source", "Home Assistant at ws://home:8123 did not answer.", "Is it on?", True)
    return report(
        mode="apply",
        status="unknown",
        source=SourceReport("ws://home:8123", False),
        replicas=unknown,
        errors=(error,),
    )
