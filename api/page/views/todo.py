"""What to do, directly below the status: a sentence and a command for each guard and each kind of difference."""

from collections.abc import Iterator, Mapping, Set

import msgspec

from api.page.templates import link
from api.page.wording import count_text, replica_text
from engine.core.state.advice import GUARDS, KINDS, remedy
from engine.core.state.record_states import BY_URGENCY, LABELS, State, outcomes_by_state
from engine.core.state.record_verdict import Verdicts
from engine.core.state.report import RefusalReport
from engine.core.state.status import Status
from engine.core.words import Outcome, SyncStatus


class TodoView(msgspec.Struct, frozen=True):
    """One thing to do; `help` links to its explanation, `href` to the records concerned."""

    id: str
    title: str
    sentences: list[str]
    command: str | None
    help: str
    href: str | None = None


def todo_views(status: Status, verdicts: Verdicts, word: str) -> list[TodoView]:
    """The things to do, most urgent first; `word` is the overall status."""
    found = [*_unknown(status, word), *_guards(status)]
    if word != SyncStatus.UNKNOWN:
        is_refused = any(r.not_this_home for r in (status.report.replicas if status.report else ()))
        hidden = {State.UNKNOWN} if is_refused else set[State]()  # its guard is above
        found += _kinds(verdicts, outcomes_by_state(status.report), hidden)
    return found


def _unknown(status: Status, word: str) -> Iterator[TodoView]:
    if word != SyncStatus.UNKNOWN or (status.report is None and status.source.error is None):
        return  # the first comparison is running
    advice = KINDS["unknown"]
    yield TodoView("todo-unknown", advice.title, [advice.action], advice.command, link("help", "unknown"))


def _guards(status: Status) -> Iterator[TodoView]:
    for replica in status.report.replicas if status.report else ():
        for refusal in replica.refusals:
            advice = GUARDS.get(refusal.guard)
            held = count_text(refusal.held, "operation") if refusal.held else "any change would be"
            yield TodoView(
                f"todo-{replica.replica}-{refusal.guard}",
                f"Guard {refusal.guard}: {held} held back in {replica_text(replica.replica)}",
                [sentence for sentence in (refusal.message, refusal.hint, _naming(refusal)) if sentence],
                refusal.command or (advice.command if advice else None),
                link("help", f"guard-{refusal.guard}"),
                link("drift"),
            )


def _naming(refusal: RefusalReport) -> str:
    """How to allow these deletes in a service without a command line, such as the app."""
    return (
        f"Or name these deletes in plan.allow_deletes, in the app its option: {refusal.name}."
        if refusal.name
        else ""
    )


def _kinds(
    verdicts: Verdicts, outcomes: Mapping[State, frozenset[Outcome]], hidden: Set[State]
) -> Iterator[TodoView]:
    counts = verdicts.counts()
    for state in BY_URGENCY:
        if counts[state] and state not in hidden:
            advice = KINDS[state]
            action, command = remedy(state, outcomes.get(state, frozenset()))
            yield TodoView(
                f"todo-{state}",
                f"{LABELS[state]}: {count_text(counts[state], 'record')}",
                [f"{advice.meaning} {action}"],
                command,
                link("help", str(state)),
                link("drift", state=str(state)),
            )
