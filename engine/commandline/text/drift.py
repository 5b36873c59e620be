"""A drift report as text: for each record the side that changed, the fields, since when, and why it is listed."""

from collections import Counter

import msgspec

from engine.commandline.text.colour import Paint
from engine.commandline.text.plan import refusal_lines
from engine.commandline.text.record_lines import (
    WORDS,
    capped,
    headline,
    listing,
    sorted_by_key,
    word_of,
)
from engine.commandline.text.safe_text import value_text, visible
from engine.commandline.text.set_aside_lines import (
    but_for_set_aside,
    compared_text,
    kept_text,
    refused_text,
    set_aside_lines,
)
from engine.core.compare.diff import IN_PROGRESS, Cause, Kind
from engine.core.state.report import RecordReport, ReplicaReport, Report
from engine.core.times import rfc3339
from engine.core.words import SyncStatus


class DriftText(msgspec.Struct, frozen=True):
    """Options for printing."""

    paint: Paint = Paint(False)
    is_full: bool = False
    with_hashes: bool = False


def render_drift(report: Report, form: DriftText) -> str:
    """The whole text; it ends with a newline."""
    lines: list[str] = []
    # Replicas in their order, then other stores in the report (an InfluxDB's older measurements).
    names = dict.fromkeys([r.replica for r in report.replicas] + [r.replica for r in report.records])
    for name in names:
        records = [r for r in report.records if r.replica == name]
        if not records:
            continue
        lines.append(form.paint("bold", f"{name}:"))
        for word in WORDS:
            group = sorted_by_key([r for r in records if word_of(r) == word])
            lines += capped([_block(r, form) for r in group], is_full=form.is_full)
        lines.append("")
    lines += [visible(report.source.note, 500), ""] if report.source.note else []
    lines += set_aside_lines(report, form.paint, is_full=form.is_full)
    if refused := refusal_lines(report, form.paint):
        lines += [*refused, ""]
    return "\n".join([*lines, _last_line(report)]) + "\n"


def which_side(record: RecordReport) -> str:
    """The side that changed, in words."""
    replica, kind = record.replica, record.kind
    if record.cause is Cause.FOREIGN:
        return f"only {replica} has it"
    if record.cause is Cause.CONFLICT:
        return "both sides changed"
    if record.cause is Cause.DRIFT:
        return f"deleted from {replica} by someone else" if kind is Kind.MISSING else f"changed in {replica}"
    if kind is Kind.ORPHANED:
        return "gone from Home Assistant"
    if record.applied_hash == IN_PROGRESS:
        return f"a write to {replica} was cut off"
    if record.applied_hash is None:
        return (
            f"not yet in {replica}" if kind is Kind.MISSING else f"never written to {replica} by the engine"
        )
    return "changed in Home Assistant"


def _block(record: RecordReport, form: DriftText) -> list[str]:
    since = f", since {rfc3339(record.since)}" if record.since else ""
    lines = [headline(record, form.paint, f"{record.cause}: {which_side(record)}{since}")]
    for change in record.fields:
        sides = f"Home Assistant {value_text(change.source)}, {record.replica} {value_text(change.replica)}"
        lines.append(f"      {visible(change.name)}: {sides}")
    lines += [f"      {visible(reason)}" for reason in record.why]
    if form.with_hashes:
        hashes = (record.source_hash, record.replica_hash, record.applied_hash)
        parts = zip(("Home Assistant", record.replica, "last applied"), hashes, strict=True)
        lines += [f"      {side}: {hash_ or 'none'}" for side, hash_ in parts]
    return lines


def _last_line(report: Report) -> str:
    if not report.source.connected:
        return "Unknown: Home Assistant could not be read, so nothing was compared."
    if not report.records and all(r.status == SyncStatus.IN_SYNC for r in report.replicas):
        names = listing([r.replica for r in report.replicas])
        records = compared_text(report)
        verb = "equals" if len(report.replicas) == 1 else "equal"
        return f"In sync: {names} {verb} {visible(report.source.speaker)} ({records}){but_for_set_aside(report)}."
    is_believed = report.records and not all(r.not_this_home for r in report.replicas)
    if not is_believed and (refused := refused_text(report)):
        return f"{refused}."
    is_partial = report.errors or any(r.refusals for r in report.replicas)
    word = "Incomplete" if is_partial and not report.records else "Drift"
    if report.source.only:
        word += f" ({listing(list(report.source.only))})"
    return f"{word}: {'; '.join(_replica_part(report, r) for r in report.replicas)}."


def _replica_part(report: Report, replica: ReplicaReport) -> str:
    if replica.fingerprint is None:
        return f"{replica.replica} unknown"
    causes = Counter(r.cause for r in report.records if r.replica == replica.replica)
    parts = [f"{causes[cause]} {cause}" for cause in Cause if causes[cause]]
    if not parts and replica.status != SyncStatus.IN_SYNC:
        return kept_text(replica) if replica.counts.kept else f"{replica.replica} {_why_not(replica)}"
    return f"{', '.join(parts)} in {replica.replica}" if parts else f"{replica.replica} in sync"


def _why_not(replica: ReplicaReport) -> str:
    """Why a replica without a difference is not in sync."""
    guards = dict.fromkeys(refusal.guard for refusal in replica.refusals)
    return f"refused by {listing(list(guards))}" if guards else "with an error"
