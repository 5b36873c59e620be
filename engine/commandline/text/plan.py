"""A pass's report as text: the changes in each replica, what was held back, and a last line.

The last line never claims more than the report: "nothing to do" requires that every replica was compared.
"""

import math
from collections import Counter

import msgspec

from engine.commandline.text.colour import Paint
from engine.commandline.text.record_lines import (
    WORDS,
    capped,
    field_line,
    headline,
    listing,
    plural,
    sorted_by_key,
    word_of,
)
from engine.commandline.text.safe_text import visible
from engine.commandline.text.set_aside_lines import (
    but_for_set_aside,
    compared_text,
    refused_text,
    set_aside_lines,
)
from engine.core.compare.plan import Action
from engine.core.state.difference_words import awaited_text
from engine.core.state.report import RecordReport, RefusalReport, ReplicaReport, Report
from engine.core.times import rfc3339
from engine.core.words import Mode, Outcome

_REMARKS = {
    Outcome.HELD: "held back by a guard",
    Outcome.FAILED: Outcome.FAILED,
}
_FAILED_LISTED_MAX = 10  # for a store that could not be written; more are only counted
_DONE = {"add": "added", "change": "changed", "move": "moved", "remove": "removed"}


class PlanText(msgspec.Struct, frozen=True):
    """Options for printing: colour, the 50-line cap, and facts that the report lacks."""

    paint: Paint = Paint(False)
    is_full: bool = False
    confirm_seconds: float = 60.0
    allowed: str = ""  # the options that allowed this run to delete, which the next one needs too


def render_plan(report: Report, form: PlanText) -> str:
    """The whole text; it ends with a newline."""
    lines: list[str] = []
    printed: list[RecordReport] = []
    for replica in report.replicas:
        records = [r for r in report.records if r.replica == replica.replica]
        if not records:
            continue
        lines.append(form.paint("bold", f"{replica.replica}:"))
        if failed := 0 if form.is_full else _failed_whole(replica, records):
            lines += [f"  {plural(failed, 'change')}, none of them written", ""]
            continue
        fresh = records if form.is_full else _without_known(records, printed)
        if len(fresh) < len(records):
            shared = plural(len(records) - len(fresh), "record")
            lines.append(f"  {shared}: the same as in {printed[0].replica}")
        lines += [*_groups(fresh, form), ""]
        printed = printed or records
    if lines:
        lines = [_source_line(report), "", *lines]
    lines += set_aside_lines(report, form.paint, is_full=form.is_full)
    lines += refusal_lines(report, form.paint)
    lines += [visible(report.source.note, 500)] if report.source.note else []
    lines += [f"{r.replica}: {visible(r.note, 500)}" for r in report.replicas if r.note]
    lines += _waiting_lines(report, form)
    lines += _foreign_lines(report)
    return "\n".join([*lines, last_line(report, form)]) + "\n"


def _failed_whole(replica: ReplicaReport, records: list[RecordReport]) -> int:
    """The number of changes for a store that could not be written; 0 if some were written, or there are few."""
    wanted = [r for r in records if r.action is not None]
    is_whole = replica.error and all(r.outcome == Outcome.FAILED for r in wanted)
    return len(wanted) if is_whole and len(wanted) > _FAILED_LISTED_MAX else 0


def refusal_lines(report: Report, paint: Paint) -> list[str]:
    """Each guard, what it held back, and how to change that."""
    lines = []
    for replica in report.replicas:
        for refusal in replica.refusals:
            lines.append(paint("red", f"Refused by {refusal.guard}: {_held_text(replica, refusal)}."))
            lines += [f"  {visible(text, 500)}" for text in (refusal.message, refusal.hint) if text]
            lines.append(f"  More: reconcile docs {refusal.guard}")
    return lines


def _held_text(replica: ReplicaReport, refusal: RefusalReport) -> str:
    if refusal.held:
        return f"{plural(refusal.held, 'operation')} held back in {replica.replica}"
    if replica.not_this_home:
        return f"any change would be held back in {replica.replica}"
    return f"not all of {replica.replica} was compared"


def last_line(report: Report, form: PlanText) -> str:
    """The result in one line."""
    if not report.source.connected:
        return "Unknown: Home Assistant could not be read, so nothing was compared and nothing was written."
    if not any(r.action is not None for r in report.records) and not report.errors:
        return _nothing_to_do(report)
    parts = [_replica_part(report, replica) for replica in report.replicas]
    if report.mode != Mode.APPLY:
        why = " (observe mode)" if report.mode == Mode.OBSERVE else ""
        return f"Plan: {'; '.join(parts)}. Nothing was written{why}."
    wrote = any(r.outcome == Outcome.APPLIED for r in report.records)
    return f"{'Applied' if wrote else 'Nothing was written'}: {'; '.join(parts)}."


def _source_line(report: Report) -> str:
    source = report.source
    said = [f"Home Assistant {source.version}" if source.version else "", source.state or ""]
    summary = ", ".join([*(visible(s) for s in said if s), plural(source.records, "record")])
    return f"Source: {visible(source.uri)} ({summary})"


def _groups(records: list[RecordReport], form: PlanText) -> list[str]:
    lines: list[str] = []
    for word in WORDS:
        group = sorted_by_key([r for r in records if word_of(r) == word])
        lines += capped([_block(r, form.paint) for r in group], is_full=form.is_full)
    return lines


def _block(record: RecordReport, paint: Paint) -> list[str]:
    return [
        headline(record, paint, _remark(record)),
        *map(field_line, record.fields),
        *(f"      {visible(reason)}" for reason in record.why),
    ]


def _remark(record: RecordReport) -> str:
    if record.outcome == Outcome.WAITING:
        return f"waits for {awaited_text(record)}"
    return _REMARKS.get(record.outcome, "")


def _without_known(records: list[RecordReport], printed: list[RecordReport]) -> list[RecordReport]:
    """The records that `printed` does not fully cover: only one replica has derived fields."""
    others = {(r.registry, r.key): r for r in printed}
    return [r for r in records if not _is_covered_by(r, others.get((r.registry, r.key)))]


def _is_covered_by(record: RecordReport, other: RecordReport | None) -> bool:
    return (
        other is not None
        and (record.kind, record.cause, record.action) == (other.kind, other.cause, other.action)
        and (record.name, record.outcome, record.why) == (other.name, other.outcome, other.why)
        and all(change in other.fields for change in record.fields)
    )


def _waiting_lines(report: Report, form: PlanText) -> list[str]:
    waiting = [r for r in report.records if r.outcome == Outcome.WAITING and r.action == Action.DELETE]
    if not waiting:
        return []
    count = len({(r.registry, r.key) for r in waiting})
    verb = "waits" if count == 1 else "wait"
    summary = f"{plural(count, 'delete')} {verb} for {awaited_text(waiting[0])}:"
    if waiting[0].waits_for_backup:
        first = max(r.since or report.compared_at for r in waiting)
        return [
            f"{summary} one that was made after {rfc3339(first + form.confirm_seconds)} and lacks {'it' if count == 1 else 'them'} too. "
            "Reading this one again confirms nothing; to delete now, run with RECONCILE_PLAN__DELETE_CONFIRM_SECONDS=0."
        ]
    waited = min(report.compared_at - r.since if r.since else 0.0 for r in waiting)
    left = math.ceil(max(form.confirm_seconds - waited, 1))
    if report.mode == Mode.APPLY:
        if form.allowed:
            return [f"{summary} run again in {left} s with {form.allowed}, or add --confirm-deletes to that."]
        return [f"{summary} run again in {left} s, or pass --confirm-deletes."]
    # This run wrote nothing, so it needs no option that allows deletes; and only a run that writes remembers
    # missing records.
    when = f"in {left} s" if waited > 0 else f"twice, {left} s apart"
    command = f"reconcile {form.allowed}".rstrip()
    return [f"{summary} run `{command}` {when}, or `{command} --confirm-deletes` now."]


def _foreign_lines(report: Report) -> list[str]:
    foreign = sum(r.action is None for r in report.records)
    if not foreign:
        return []
    noun = "foreign row is" if foreign == 1 else "foreign rows are"
    return [f"{foreign} {noun} left alone. To delete them: --prune-foreign"]


def _nothing_to_do(report: Report) -> str:
    if refused := refused_text(report):
        return f"{refused} and nothing was written."
    names = listing([r.replica for r in report.replicas])
    hold = "holds" if len(report.replicas) == 1 else "hold"
    records, odd = compared_text(report), but_for_set_aside(report)
    if any(r.counts.kept or r.refusals for r in report.replicas):
        return f"Nothing to do: all that could be compared is as in {visible(report.source.speaker)} ({records}){odd}."
    if not report.records:
        return f"Nothing to do: {names} {hold} exactly what {visible(report.source.speaker)} has ({records}){odd}."
    foreign = [
        f"{plural(n, 'foreign row')} in {name}"
        for name, n in Counter(r.replica for r in report.records).items()
    ]
    all_there = f"{names} {hold} all that {visible(report.source.speaker)} has ({records}){odd}"
    there = "there is" if len(report.records) == 1 else "there are"
    return f"Nothing to do: {all_there}; besides, {there} {listing(foreign)}."


def _replica_part(report: Report, replica: ReplicaReport) -> str:
    records = [r for r in report.records if r.replica == replica.replica and r.action is not None]
    if replica.fingerprint is None:
        return f"not compared ({replica.replica})"
    counts = Counter(
        word_of(r) for r in records if r.outcome in (Outcome.PLANNED, Outcome.OBSERVED, Outcome.APPLIED)
    )
    is_done = report.mode == Mode.APPLY
    order = ("add", "change", "move", "remove")
    parts = [f"{counts[w]} {_DONE[w] if is_done else f'to {w}'}" for w in order if counts[w]]
    outcomes = Counter(r.outcome for r in records)
    parts += [f"{outcomes[o]} {o}" for o in (Outcome.WAITING, Outcome.HELD, Outcome.FAILED) if outcomes[o]]
    if replica.error and not outcomes[Outcome.FAILED]:
        parts.append("with an error")
    if not parts and replica.refusals:
        return f"refused ({replica.replica})"
    return f"{', '.join(parts) or 'nothing to do'} ({replica.replica})"
