"""The current faults of the stores for `reconcile doctor`: the comparison of `reconcile drift`, with a check per finding.

The connections were checked before; their faults are not repeated here.
"""

import time
from collections.abc import Iterator

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.interruption import Interruption
from engine.commandline.text.record_lines import listing, plural
from engine.commandline.text.set_aside_lines import but_for_set_aside, compared_text
from engine.commandline.verbs.compared import compare_now
from engine.commandline.verbs.doctor.check import Check
from engine.core.state.advice import GUARDS, KINDS, remedy
from engine.core.state.intervals import AGELESS
from engine.core.state.record_states import BY_URGENCY, LABELS, State, outcomes_by_state
from engine.core.state.record_verdict import Verdicts
from engine.core.state.status import Status
from engine.core.words import NOT_THIS_HOME
from engine.settings.sections import LoadedSettings


def check_now(arguments: Arguments, loaded: LoadedSettings, stop: Interruption) -> Iterator[Check]:
    """One check for each guard that holds something back and each kind of difference; or one that reports none."""
    status = compare_now(arguments, loaded, stop)
    if status.report is None or not status.source.connected:
        return  # earlier checks report the reason
    yield from checks_of(status)


def checks_of(status: Status) -> Iterator[Check]:
    """The findings of a pass."""
    report = status.report
    assert report is not None, "there was a pass"
    for replica in report.replicas:
        for refusal in replica.refusals:
            advice = GUARDS.get(refusal.guard)
            command = refusal.command or (advice.command if advice else None)
            hint = f"{refusal.hint} `{command}`" if command and command not in refusal.hint else refusal.hint
            # A pass would be refused as a whole.
            level = "fail" if refusal.guard in NOT_THIS_HOME else "warn"
            yield Check(f"guard {refusal.guard}", level, f"{replica.replica}: {refusal.message}", hint)
    counts, outcomes = Verdicts(status, time.time(), AGELESS).counts(), outcomes_by_state(report)
    is_refused = any(replica.not_this_home for replica in report.replicas)
    for state in BY_URGENCY:
        if counts[state] and not (is_refused and state is State.UNKNOWN):  # its guard was reported
            action, command = remedy(state, outcomes.get(state, frozenset()))
            hint = f"{action} `{command}`" if command else action
            text = f"{LABELS[state]}: {plural(counts[state], 'record')}. {KINDS[state].meaning}"
            yield Check("drift", "warn", text, hint)
    looked = [r.replica for r in report.replicas if r.status == "in_sync"]
    if looked and not counts:
        yield Check(
            "drift",
            "ok",
            f"{listing(looked)} as Home Assistant is, {compared_text(report)}{but_for_set_aside(report)}",
        )
