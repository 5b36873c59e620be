"""The meaning of each guard and kind of difference, and the remedy: one sentence, and a command to copy.

The page, the API, `reconcile show` and the reference page `docs/reference/what-to-do.md` all use these texts.
"""

import msgspec

from engine.core.compare.diff import Cause
from engine.core.words import GuardName, Outcome


class Advice(msgspec.Struct, frozen=True):
    """Advice on one subject: what it means, what to do, and the command for that (None: no command does it)."""

    title: str
    meaning: str
    action: str
    command: str | None = None


GUARDS: dict[GuardName, Advice] = {
    GuardName.RECOVERY_MODE: Advice(
        "Home Assistant is in recovery mode",
        "In recovery mode Home Assistant lists something that is not your home, so nothing is written at all.",
        "Repair Home Assistant's configuration and restart it; the next pass continues on its own.",
        "reconcile doctor",
    ),
    GuardName.WRONG_INSTANCE: Advice(
        "This is another Home Assistant",
        "None of the config entries that the stores know is listed, so nothing is written at all.",
        "Check source.uri. If this instance is to be mirrored from now on, accept it once.",
        "reconcile --allow-new-instance",
    ),
    GuardName.NOT_RUNNING: Advice(
        "Home Assistant is starting or stopping",
        "While it starts, integrations still add records, so nothing is deleted.",
        "Wait until it has started; the deletes follow then.",
        "reconcile doctor",
    ),
    GuardName.STORAGE_CORRUPTION: Advice(
        "Home Assistant lost a registry",
        "It reports a corrupt store and started over with new ids, so nothing is deleted.",
        "Restore a backup of Home Assistant, or accept the loss by fixing the repair issue there.",
        "reconcile doctor",
    ),
    GuardName.HEALTH_UNREAD: Advice(
        "Home Assistant's state could not be read",
        "Whether its registries are sound is not known, so nothing is deleted.",
        "Restart Home Assistant, which rewrites such a file; the deletes follow then.",
        "reconcile doctor",
    ),
    GuardName.REGISTRY_UNREAD: Advice(
        "A registry was not read",
        "What was not read is not empty: its rows stay as they are, and so do those made with its help.",
        "Restore what is missing. If the home really has none of it any more, confirm it once.",
        "reconcile --allow-empty",
    ),
    GuardName.EMPTY_SOURCE: Advice(
        "Home Assistant lists none at all",
        "A living home has devices, entities and config entries, so nothing is deleted.",
        "If the home really is empty, confirm it once.",
        "reconcile --allow-empty",
    ),
    GuardName.DELETE_RATIO: Advice(
        "Too large a share would be deleted",
        "Home Assistant no longer lists a large share of the records, as after a read that was cut short.",
        "Look at what would be deleted. If it is right, allow that many deletes once.",
        "reconcile --dry-run",
    ),
    GuardName.DELETE_COUNT: Advice(
        "Too many records would be deleted",
        "Home Assistant no longer lists more records than one pass may delete.",
        "Look at what would be deleted. If it is right, allow that many deletes once.",
        "reconcile --dry-run",
    ),
}

KINDS: dict[str, Advice] = {
    "drifted": Advice(
        "Another program changed a row",
        "Another program wrote to a store after the engine did; Home Assistant's value is the right one.",
        "The next pass writes Home Assistant's value again. Find out which program writes there, or it will happen again.",
        "reconcile",
    ),
    "missing": Advice(
        "A row is missing",
        "Home Assistant has the record and a store does not.",
        "The next pass writes it.",
        "reconcile",
    ),
    "pending": Advice(
        "A change is not written yet",
        "Home Assistant changed the record, and a store does not hold the change yet.",
        "The next pass writes it. If it stays, look at what hinders the store.",
        "reconcile doctor",
    ),
    "gone": Advice(
        "Home Assistant no longer lists it",
        "What a store still holds of it is deleted when there is enough evidence that it is gone.",
        "A second read, plan.delete_confirm_seconds after the first, confirms the delete. A run can wait for that read, and delete "
        "then.",
        "reconcile --confirm-deletes",
    ),
    "foreign": Advice(
        "A foreign row",
        "Home Assistant does not have it and the engine did not write it: it matches nothing in the home.",
        "It is left alone. If it is not needed, let a pass delete all foreign rows.",
        "reconcile --prune-foreign",
    ),
    "set_aside": Advice(
        "A row of Home Assistant cannot be used",
        "The row's record cannot be identified, so what a store holds under it stays as it is.",
        "Correct or remove it in Home Assistant, then compare again.",
        "reconcile drift",
    ),
    "unknown": Advice(
        "Not known now",
        "Home Assistant or a store could not be read lately, so it is not known whether the row is right.",
        "Find out what cannot be read.",
        "reconcile doctor",
    ),
    "real": Advice(
        "Real",
        "Every store holds exactly what Home Assistant has.",
        "Nothing is to be done.",
    ),
}

# Replaces the advice on deletes, and on any other difference, if guards hold all of them back.
DELETES_HELD = "A guard holds back all these deletes; see above how to allow them."
CHANGES_HELD = "A guard holds back all these changes; see above how to allow them."
# Replaces the advice on any difference but a delete, if all of them wait with deletes that they depend on.
CHANGES_WAIT = "All these changes depend on deletes, and are written when a second look confirms those. A run can wait for that look."

# The side that changed, as one of a report's reasons.
WHOSE_CHANGE: dict[Cause, str] = {
    Cause.DRIFT: "the replica was changed by someone else after the engine wrote it",
    Cause.CONFLICT: "both sides changed since the engine last wrote it; Home Assistant wins",
    Cause.FOREIGN: "a foreign row, pruned as asked",
}
# The rest of the sentence on the next step, by the outcome of the last pass; {done} is written, moved or deleted,
# {awaited} a second look or a newer backup.
OUTCOMES: dict[Outcome, str] = {
    Outcome.PLANNED: "will be {done} with the next pass",
    Outcome.HELD: "held back by a guard",
    Outcome.WAITING: "will be deleted when {awaited} confirms that it is gone (plan.delete_confirm_seconds)",
    Outcome.OBSERVED: 'not {done}: only observing; set plan.mode = "enforce" to have it {done}',
    Outcome.FAILED: "could not be {done}; it is tried again",
    Outcome.REPORTED: "left alone; plan.prune_foreign = true would delete it",
}
# The same for a change that depends on a delete which waits.
WAITS_FOR_DELETE = (
    "will be {done} when {awaited} confirms a delete that it depends on (plan.delete_confirm_seconds)"
)
# Replaces the advice if nothing is written.
OBSERVED_ONLY = 'Only observing, so nothing is written: set plan.mode = "enforce" to have it written.'
# Precedes the advice if some of the changes had these outcomes.
_SOME_LEFT = {
    Outcome.HELD: "A guard holds back some of these; see above how to allow them.",
    Outcome.WAITING: "Some of these wait for a second look at deletes that they depend on.",
}
# The command for an outcome that determines more than the kind of difference does.
_COMMANDS = {
    Outcome.WAITING: "reconcile --confirm-deletes",
    Outcome.FAILED: "reconcile doctor",
    Outcome.PLANNED: "reconcile",
}


def remedy(state: str, outcomes: frozenset[Outcome]) -> tuple[str, str | None]:
    """(the advice, its command) on records of one state whose changes had these outcomes in the last pass.

    It promises the next pass only for changes that neither a guard nor an unconfirmed delete holds back.
    """
    usual, is_gone = KINDS[state], state == "gone"
    if outcomes == {Outcome.HELD}:
        return (DELETES_HELD if is_gone else CHANGES_HELD), None
    if outcomes == {Outcome.OBSERVED}:
        return OBSERVED_ONLY, None
    if outcomes == {Outcome.WAITING} and not is_gone:
        return CHANGES_WAIT, _COMMANDS[Outcome.WAITING]
    kept = {Outcome.HELD} if is_gone else {Outcome.HELD, Outcome.WAITING}
    parts = [text for outcome, text in _SOME_LEFT.items() if outcome in outcomes & kept]
    if not parts:
        return usual.action, usual.command
    if outcomes <= kept:
        return " ".join(parts), _COMMANDS[Outcome.WAITING]
    if Outcome.OBSERVED in outcomes:
        return f"{' '.join(parts)} {OBSERVED_ONLY}", None
    return f"{' '.join(parts)} Of the others: {usual.action[:1].lower()}{usual.action[1:]}", usual.command


def command_for(state: str, outcome: Outcome | None) -> str | None:
    """The command that resolves a difference; one held by a guard has the guard's command."""
    if outcome == Outcome.OBSERVED:
        return None  # a setting resolves it
    return (_COMMANDS.get(outcome) if outcome else None) or KINDS[state].command
