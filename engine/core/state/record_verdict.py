"""The verdict on one record: is its row real, since when, why, and what will be done about it.

`Verdicts` is the only place that decides it, from the status, age and report that `replica_status` and the drift
report also use: page, API, `reconcile show` and `reconcile history` only word it. No verdict is better than the status of
its replicas: while one of them is unknown, a record on which no other is known to differ is unknown.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from engine.core.compare.diff import Cause, Kind
from engine.core.records.record import Json, Key
from engine.core.spelling import folded
from engine.core.state.advice import GUARDS, KINDS, Advice, command_for
from engine.core.state.difference_words import further_reasons, outcome_text, which_side
from engine.core.state.intervals import Freshness
from engine.core.state.record_states import State, state_of
from engine.core.state.report import RecordReport, RefusalReport, Report, open_records
from engine.core.state.status import ReplicaStatus, Status, replica_status, status_word, why_unknown
from engine.core.times import Instant, instant
from engine.core.words import NOT_THIS_HOME, GuardName, Outcome, SyncStatus


class Differs(msgspec.Struct, frozen=True):
    """One field on which a replica and Home Assistant differ: `source` is Home Assistant's value, `found` the row's."""

    replica: str
    name: str
    source: Json
    found: Json


class RecordVerdict(msgspec.Struct, frozen=True):
    """Whether the row is real. `since` is null if unknown, `cause` if nothing differs.

    `next` is the next step, `command` the command that takes it, if there is one to run.
    """

    state: State
    cause: Cause | None
    since: Instant | None
    reasons: tuple[str, ...]
    differs: tuple[Differs, ...]
    next: str
    command: str | None

    @property
    def lasts_since_written(self) -> bool:
        """Whether the state has lasted since the row was last written, as far as is known.

        Not for a record that a store still has and Home Assistant lost: Home Assistant still had it after the last write.
        """
        return self.state is State.REAL or (self.state is State.GONE and self.cause is None)

    def of_row(self, written_at: float | None) -> "RecordVerdict":
        """The verdict on a row that was last written at this time, Unix seconds; None: unknown."""
        if not self.lasts_since_written:
            return self
        return msgspec.structs.replace(self, since=instant(written_at))


class Verdicts:
    """The verdicts on all records at one moment. Building it visits each difference once, not the whole home."""

    def __init__(self, status: Status, now: float, freshness: Freshness) -> None:
        """`now` is in Unix seconds; `freshness` limits how old knowledge may be."""
        report = status.report
        self._report = report
        self._words = {r.replica: replica_status(r, now, freshness) for r in status.replicas}
        self._distrusted = _distrusted(report)
        self._doubts = tuple(
            self._doubt(r, status, freshness) for r in status.replicas if self._is_unknown(r.replica)
        )
        self._is_unknown_whole = status_word(status, now, freshness) == SyncStatus.UNKNOWN
        self._found: dict[Key, list[RecordReport]] = {}
        for record in open_records(report):
            if record.replica in self._words:
                self._found.setdefault(Key(record.registry, record.key), []).append(record)
        self._made: dict[Key, RecordVerdict] = {}
        self._changed = _changed(r for r in status.replicas if not self._is_unknown(r.replica))
        self._aside = _set_aside(report)
        self._kept = {key for r in (report.replicas if report else ()) for key in r.kept}

    def counts(self) -> Counter[State]:
        """The number of records by verdict, of those on which a replica is known to differ; each counts once."""
        return Counter(self.of(key).state for key in self._found)

    def by_state(self, registry: str) -> tuple[dict[State, list[str]], State]:
        """(the ids of a registry's records with individual verdicts, by state; the state of all others)."""
        rest = self.of(Key(registry, "")).state
        named = (Key(*name.split("/", 1)) for name in (*self._kept, *self._aside) if "/" in name)
        states: dict[State, list[str]] = {}
        for key in {*self._found, *self._changed, *named}:
            if key.registry == registry:
                states.setdefault(self.of(key).state, []).append(key.id)
        return states, rest

    def singled_out(self, registry: str) -> frozenset[str]:
        """The ids and entity_ids of a registry's records whose verdict may differ from that of all others."""
        keys = (key.id for key in (*self._found, *self._changed) if key.registry == registry)
        named = (name.removeprefix(f"{registry}/") for name in (*self._aside, *self._kept))
        return frozenset((*keys, *named))

    def missing(self, text: str, registry: str | None = None) -> Key | None:
        """The one record that Home Assistant has under this id, entity_id or name and a replica lacks."""
        wanted = folded(text)
        keys = [
            key
            for key, records in self._found.items()
            for record in records[:1]
            if record.kind is Kind.MISSING
            and registry in (None, key.registry)
            and wanted in map(folded, (str(key), key.id, record.name, record.entity_id or key.id))
        ]
        return keys[0] if len(keys) == 1 else None

    def name_of(self, key: Key) -> str | None:
        """The name of a record on which a replica differs."""
        return next((record.name for record in self._found.get(key, ())), None)

    def of(
        self,
        key: Key,
        *,
        entity_id: str | None = None,
        has_row: bool = True,
    ) -> RecordVerdict:
        """The verdict on a record.

        A record without a row and without a report is gone: neither Home Assistant nor a store has it.
        """
        found = self._found.get(key, [])
        known = [r for r in found if not self._is_unknown(r.replica)]
        if known:
            if key not in self._made:
                self._made[key] = self._differing(known)
            return self._made[key]
        if (since := self._changed.get(key)) is not None:
            return _verdict(State.PENDING, Cause.PENDING, since, (KINDS["pending"].meaning,))
        if reason := self._aside.get(str(key)) or self._aside.get(entity_id or ""):
            return _verdict(State.SET_ASIDE, None, None, (reason,))
        if str(key) in self._kept:
            return _verdict(State.SET_ASIDE, None, None, (KINDS["set_aside"].meaning,))
        if self._is_unknown_whole or self._doubts:
            return self._unknown(found)
        if self._report is not None and not self._report.source.has_read(key.registry):
            return _verdict(State.UNKNOWN, None, None, (f"The registry {key.registry} was not read.",))
        if not has_row:
            reason = "Neither Home Assistant nor a store has it any more."
            return RecordVerdict(State.GONE, None, None, (reason,), (), "Nothing is to be done.", None)
        # A source that is a file or a store has its own name in the reasons, not Home Assistant's.
        speaker = self._report.source.speaker if self._report else "Home Assistant"
        reason = KINDS["real"].meaning.replace("Home Assistant", speaker)
        return _verdict(State.REAL, None, None, (reason,))

    def _differing(self, records: list[RecordReport]) -> RecordVerdict:
        states = [(_STATES.index(state_of(record)), record) for record in records]
        worst = min(states, key=lambda pair: pair[0])[0]
        state = _STATES[worst]
        first = next(record for rank, record in states if rank == worst)
        refusal = self._refusal(first)
        return RecordVerdict(
            state=state,
            cause=first.cause,
            since=min((r.since for rank, r in states if rank == worst and r.since), default=None),
            reasons=_distinct(
                [*map(which_side, records), *(why for r in records for why in further_reasons(r))]
            ),
            differs=tuple(
                Differs(r.replica, change.name, change.source, change.replica)
                for r in records
                for change in r.fields
            ),
            next="; ".join(_distinct([_next(r, self._refusal(r), len(records)) for r in records])) + ".",
            command=_command(state, first, refusal),
        )

    def _refusal(self, record: RecordReport) -> RefusalReport | None:
        """The guard that holds the record back."""
        if record.outcome != Outcome.HELD or self._report is None:
            return None
        replica = next((r for r in self._report.replicas if r.replica == record.replica), None)
        refusals = replica.refusals if replica else ()
        unread = not self._report.source.has_read(record.registry)
        fitting = [r for r in refusals if (r.guard == GuardName.REGISTRY_UNREAD) == unread]
        return next(iter([*fitting, *refusals]), None)

    def _unknown(self, found: list[RecordReport]) -> RecordVerdict:
        """The verdict "not known now", with the last findings marked as such."""
        sinces = [
            since
            for name, (word, since) in self._words.items()
            if since is not None and (word == SyncStatus.UNKNOWN or name in self._distrusted)
        ]
        before = [f"When last compared: {which_side(record)}." for record in found]
        advice = self._advice_on_doubts()
        return RecordVerdict(
            State.UNKNOWN,
            None,
            instant(min(sinces)) if sinces else None,
            _distinct([*self._doubts, *before]) or (KINDS["unknown"].meaning,),
            (),
            advice.action,
            advice.command,
        )

    def _advice_on_doubts(self) -> Advice:
        """The advice on the guard by which this is not the home, if everything could be read; else on what could not."""
        unread = [name for name, (word, _) in self._words.items() if word == SyncStatus.UNKNOWN]
        guard = None if unread or self._is_unknown_whole else next(iter(self._distrusted.values()), None)
        return KINDS["unknown"] if guard is None else GUARDS[guard]

    def _is_unknown(self, replica: str) -> bool:
        return self._words[replica][0] == SyncStatus.UNKNOWN or replica in self._distrusted

    def _doubt(self, replica: ReplicaStatus, status: Status, freshness: Freshness) -> str:
        guard = self._distrusted.get(replica.replica)
        if status.source.error and not status.source.connected:
            return f"Home Assistant is out of reach: {status.source.error}"
        if guard:
            return f"{replica.replica}: {GUARDS[guard].title}, so nothing that was compared counts."
        return f"{replica.replica}: {replica.error or why_unknown(replica, freshness)}"


_STATES = tuple(State)


def basis_of(status: Status, now: float, freshness: Freshness) -> tuple[object, ...]:
    """Everything that verdicts depend on: moments with an equal basis give every record the same verdict."""
    report = status.report
    return (
        status_word(status, now, freshness),
        tuple(replica_status(r, now, freshness) for r in status.replicas),
        (status.source.connected, status.source.error),
        tuple((r.error, r.unproven_since, r.changed, r.changed and r.pending_since) for r in status.replicas),
        report and (report.records, report.set_aside, report.replicas, report.source.registries),
    )


def _next(record: RecordReport, refusal: RefusalReport | None, count: int) -> str:
    text = f"{outcome_text(record)} ({refusal.guard})" if refusal else outcome_text(record)
    return f"{record.replica}: {text}" if count > 1 else f"{text[:1].upper()}{text[1:]}"


def _command(state: State, record: RecordReport, refusal: RefusalReport | None) -> str | None:
    if refusal is not None:
        return refusal.command or GUARDS[refusal.guard].command
    if record.waits_for_backup:
        return None
    return command_for(state, record.outcome if record.cause is not Cause.FOREIGN else None)


def _verdict(state: State, cause: Cause | None, since: float | None, reasons: Iterable[str]) -> RecordVerdict:
    advice = KINDS[state]
    return RecordVerdict(state, cause, instant(since), tuple(reasons), (), advice.action, advice.command)


def _distrusted(report: Report | None) -> dict[str, GuardName]:
    """The guard by which this is not the home, by replica."""
    return {
        replica.replica: refusal.guard
        for replica in (report.replicas if report else ())
        for refusal in replica.refusals
        if refusal.guard in NOT_THIS_HOME
    }


def _changed(replicas: Iterable[ReplicaStatus]) -> dict[Key, float]:
    """The records that Home Assistant is known to have changed since the comparison, and when each change began."""
    changed: dict[Key, float] = {}
    for replica in replicas:
        for key in replica.changed:
            at = replica.pending_since or replica.compared_at or 0.0
            changed[key] = min(at, changed.get(key, at))
    return changed


def _set_aside(report: Report | None) -> dict[str, str]:
    """Why a row of Home Assistant cannot be used, by its key and by its entity_id."""
    reasons: dict[str, str] = {}
    for row in report.set_aside if report else ():
        text = f"Home Assistant's row ({row.known_as[:200]}) cannot be used: {row.reason}."
        for name in (str(row.key) if row.key else None, row.entity_id):
            if name:
                reasons[name] = text
    return reasons


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
