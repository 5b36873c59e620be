"""The top of the page: is it in sync, and when was that last proven. Made from the current status.

It never claims more than is known: without Home Assistant the status is unknown, however equal the replicas were.
"""

import msgspec

from api.activity import Activity
from api.page.sparkline import Sparkline
from api.page.wording import count_text, replica_in_sentence, replica_text
from engine.core.compare.plan import Action
from engine.core.records.set_aside import SetAside
from engine.core.state.difference_words import awaited_text
from engine.core.state.intervals import Freshness
from engine.core.state.report import open_keys, open_records
from engine.core.state.status import (
    ReplicaStatus,
    Status,
    lag_seconds,
    replica_status,
    status_word,
    why_unknown,
)
from engine.core.words import Mode, Outcome, SyncStatus

_WORDS = {
    SyncStatus.IN_SYNC: "In sync",
    SyncStatus.OUT_OF_SYNC: "Out of sync",
    SyncStatus.BLOCKED: "Held back by a guard",
    SyncStatus.UNKNOWN: "Unknown",
}
_KEPT_OPEN = {
    Outcome.REPORTED: ("foreign row is left alone", "foreign rows are left alone"),
    Outcome.WAITING: ("delete waits for {awaited}", "deletes wait for {awaited}"),
    Outcome.OBSERVED: ("difference is only observed", "differences are only observed"),
    Outcome.FAILED: ("change could not be written", "changes could not be written"),
    Outcome.PLANNED: ("change waits to be written", "changes wait to be written"),
}


class ReplicaView(msgspec.Struct, frozen=True):
    """One replica's card. `lag_seconds` is the age of its proven content; None: unknown."""

    title: str
    state: str
    word: str
    since: float | None  # when this status was first found
    synced_at: float | None
    lag_seconds: float | None
    compared_at: float | None
    pending: int
    pending_since: float | None
    in_sync: int | None
    error: str | None
    day: Sparkline | None


class GuardView(msgspec.Struct, frozen=True):
    """A guard's message, and how to change its decision."""

    replica: str
    guard: str
    held: int
    message: str
    hint: str


class StatusView(msgspec.Struct, frozen=True):
    """The top of the page. `proven_at`: the time up to which every replica is known to have held everything."""

    state: str
    word: str
    sentence: str
    proven_at: float | None
    site: str
    version: str
    source: str
    source_word: str
    source_state: str  # connected, lost, waiting
    source_error: str | None
    heard_at: float | None
    records: int | None
    is_observing: bool
    is_compared: bool  # any replica ever was
    replicas: list[ReplicaView]
    guards: list[GuardView]
    set_aside: list[SetAside]


def status_view(status: Status, now: float, freshness: Freshness, activity: Activity) -> StatusView:
    """The page's status section at `now` (Unix seconds)."""
    report = status.report
    state = status_word(status, now, freshness)
    synced = [replica.synced_at for replica in status.replicas]
    source = status.source
    return StatusView(
        state=state,
        word=_WORDS[state],
        sentence=_sentence(status, state, now, freshness),
        proven_at=min((at for at in synced if at is not None), default=None) if None not in synced else None,
        site=status.site,
        version=status.version,
        source=f"{source.version or ''}".strip(),
        source_word=_source_word(status),
        source_state="connected" if source.connected else "lost" if source.error else "waiting",
        source_error=source.error,
        heard_at=source.last_message_at,
        records=report.source.records if report else None,
        is_observing=report is not None and report.mode == Mode.OBSERVE,
        is_compared=any(replica.compared_at is not None for replica in status.replicas),
        replicas=[_replica_view(replica, status, now, freshness, activity) for replica in status.replicas],
        guards=[
            GuardView(replica_text(r.replica), refusal.guard, refusal.held, refusal.message, refusal.hint)
            for r in (report.replicas if report else ())
            for refusal in r.refusals
        ],
        set_aside=list(report.set_aside) if report else [],
    )


def _source_word(status: Status) -> str:
    source = status.source
    if not source.connected:
        return "Out of reach" if source.error else "Connecting"
    return "Connected" if source.state in (None, "RUNNING") else f"Connected, {str(source.state).lower()}"


def _sentence(status: Status, state: str, now: float, freshness: Freshness) -> str:
    report = status.report
    names = _named([r.replica for r in status.replicas])
    if not status.source.connected:
        before = "Nothing was compared yet."
        if report:
            before = f"When it was last compared: {_WORDS[report.status].lower()}."
        why = "is out of reach" if status.source.error else "was not reached yet"
        return f"Home Assistant {why}, so the status is not known. {before}"
    if any(replica.unproven_since is not None for replica in status.replicas):
        return "Home Assistant is followed again and was not compared yet, so the status is not known."
    if report is None:
        return "Nothing was compared yet; the first look at Home Assistant is under way."
    if state == SyncStatus.IN_SYNC:
        verb = "holds" if len(status.replicas) == 1 else "hold"
        records = count_text(report.source.records, "record")
        odd = len(report.set_aside)
        parts = f", but for {count_text(odd, 'row')} that cannot be used" if odd else ""
        only = f" of {', '.join(report.source.only)}" if report.source.only else ""
        return f"{names} {verb} exactly what {report.source.speaker} has: {records}{only}{parts}."
    if state == SyncStatus.BLOCKED:
        held = len(open_keys(report, Outcome.HELD))
        if not held:
            return "Any change would be held back: there is not enough evidence that it is right."
        changes = f"Changes of {count_text(held, 'record')}"
        return f"{changes} are held back: there is not enough evidence that they are right."
    if state == SyncStatus.UNKNOWN:
        if report.errors:
            return f"{_named([e.subject for e in report.errors])} could not be compared, so the status is not known."
        return _why_unknown(status, now, freshness)
    return _differences(status)


def _why_unknown(status: Status, now: float, freshness: Freshness) -> str:
    """A sentence for each reason, about the replicas that are unknown for it."""
    reasons: dict[str, list[str]] = {}
    for replica in status.replicas:
        if replica_status(replica, now, freshness)[0] == SyncStatus.UNKNOWN:
            reason = replica.error or why_unknown(replica, freshness).removeprefix("unknown: ")
            reasons.setdefault(reason.rstrip("."), []).append(replica.replica)
    sentences = (
        f"{_named(names)} {'is' if len(names) == 1 else 'are each'} unknown: {reason}."
        for reason, names in reasons.items()
    )
    return " ".join(sentences) or "The status is not known."


def _named(replicas: list[str]) -> str:
    """All names, for the beginning of a sentence."""
    text = " and ".join(dict.fromkeys(replica_in_sentence(replica) for replica in replicas))
    return text[:1].upper() + text[1:]


def _differences(status: Status) -> str:
    counts = {outcome: len(open_keys(status.report, outcome)) for outcome in _KEPT_OPEN}
    # Changes that depend on a delete wait with it.
    waiting = {
        (record.registry, record.key): awaited_text(record)
        for record in open_records(status.report)
        if record.outcome == Outcome.WAITING and record.action is Action.DELETE
    }
    counts[Outcome.WAITING], awaited = len(waiting), next(iter(waiting.values()), "")
    parts = [
        f"{counts[outcome]:,} {words[counts[outcome] != 1].format(awaited=awaited)}"
        for outcome, words in _KEPT_OPEN.items()
        if counts[outcome]
    ]
    kept = max((r.counts.kept for r in status.report.replicas), default=0) if status.report else 0
    if kept:
        parts.append(
            f"{count_text(kept, 'row')} not compared, because a row that cannot be used may be theirs"
        )
    sentences = [f"{'; '.join(parts)}."] if parts else []
    return " ".join([*sentences, *_refused(status)]) or "Something is being written."


def _refused(status: Status) -> list[str]:
    """A sentence for each store that could not be written at all, so that no change is counted as failed."""
    failed = {record.replica for record in open_records(status.report) if record.outcome == Outcome.FAILED}
    errors = status.report.errors if status.report else ()
    sentences = (
        f"{_named([error.subject])} could not be written: {error.message}"
        for error in errors
        if error.subject not in failed
    )
    return list(dict.fromkeys(sentences))


def _replica_view(
    replica: ReplicaStatus, status: Status, now: float, freshness: Freshness, activity: Activity
) -> ReplicaView:
    state, since = replica_status(replica, now, freshness)
    counts = {r.replica: r.equal for r in (status.report.replicas if status.report else ()) if r.is_compared}
    return ReplicaView(
        title=replica_text(replica.replica),
        state=state,
        word=_WORDS[state],
        since=since,
        synced_at=replica.synced_at,
        lag_seconds=lag_seconds(replica, now),
        compared_at=replica.compared_at,
        pending=replica.pending,
        pending_since=replica.pending_since,
        in_sync=counts.get(replica.replica),
        error=replica.error,
        day=activity.lag_day(replica.replica, now),
    )
