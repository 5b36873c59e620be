"""The states that a verdict can give a record, with their names and their order in lists."""

from enum import StrEnum

from engine.core.compare.diff import Cause, Kind
from engine.core.state.report import RecordReport, Report, open_records
from engine.core.words import Outcome


class State(StrEnum):
    """The possible states of a record, the most alarming first."""

    FOREIGN = "foreign"  # Home Assistant does not have it, and the engine did not write it
    DRIFTED = "drifted"  # another program changed a row
    MISSING = "missing"  # Home Assistant has it, a replica does not
    GONE = "gone"  # a replica has it, Home Assistant no longer lists it
    PENDING = "pending"  # Home Assistant changed it, a replica does not hold the change yet
    SET_ASIDE = "set_aside"  # it may be a row of Home Assistant that cannot be used
    UNKNOWN = "unknown"  # not known now
    REAL = "real"  # every replica holds what Home Assistant has


# The order of lists: what another program changed or lost comes first; foreign rows, of which there may be hundreds, last.
BY_URGENCY = (
    State.DRIFTED,
    State.MISSING,
    State.GONE,
    State.PENDING,
    State.SET_ASIDE,
    State.UNKNOWN,
    State.REAL,
    State.FOREIGN,
)
LABELS: dict[State, str] = {
    State.FOREIGN: "Foreign",
    State.DRIFTED: "Drifted",
    State.MISSING: "Missing",
    State.GONE: "Gone",
    State.PENDING: "Pending",
    State.SET_ASIDE: "Set aside",
    State.UNKNOWN: "Not known now",
    State.REAL: "Real",
}


def state_of(record: RecordReport) -> State:
    """The state of a record that follows from one replica's difference."""
    if record.cause is Cause.FOREIGN:
        return State.FOREIGN
    if record.kind is Kind.ORPHANED:
        return State.GONE
    if record.kind is Kind.MISSING:
        return State.MISSING
    return State.PENDING if record.cause is Cause.PENDING else State.DRIFTED


def outcomes_by_state(report: Report | None) -> dict[State, frozenset[Outcome]]:
    """What became of the changes that would end each state, in the last pass; changes that are only reported do not count."""
    outcomes: dict[State, set[Outcome]] = {}
    for record in open_records(report):
        if record.action is not None:
            outcomes.setdefault(state_of(record), set()).add(record.outcome)
    return {state: frozenset(found) for state, found in outcomes.items()}
