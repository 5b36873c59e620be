"""Words one replica's difference on one record: which side changed, and what was or will be done about it."""

from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Action
from engine.core.state.advice import OUTCOMES, WAITS_FOR_DELETE, WHOSE_CHANGE
from engine.core.state.report import RecordReport
from engine.core.words import Outcome


def which_side(record: RecordReport) -> str:
    """A sentence that names the side that changed, without its period."""
    replica, kind = record.replica, record.kind
    if record.cause is Cause.FOREIGN:
        return f"Only {replica} has it"
    if record.cause is Cause.CONFLICT:
        return f"It was changed in {replica} and in Home Assistant; Home Assistant wins"
    if record.cause is Cause.DRIFT:
        how = "deleted it from" if kind is Kind.MISSING else "changed it in"
        return f"Another program {how} {replica}"
    if kind is Kind.ORPHANED:
        return f"Home Assistant does not list it, {replica} has it"
    if kind is Kind.MISSING:
        return f"Home Assistant has it, {replica} does not yet"
    return f"Home Assistant changed it, {replica} does not hold the change yet"


def done_word(record: RecordReport) -> str:
    """The participle for the operation: written, moved, deleted."""
    return {Action.DELETE: "deleted", Action.MOVE: "moved"}.get(record.action or Action.UPSERT, "written")


def outcome_text(record: RecordReport) -> str:
    """The rest of a sentence on what was or will be done about a difference."""
    text = OUTCOMES.get(record.outcome, record.outcome)
    if record.outcome == Outcome.WAITING and record.action is not Action.DELETE:
        text = WAITS_FOR_DELETE
    return text.format(done=done_word(record), awaited=awaited_text(record))


def awaited_text(record: RecordReport) -> str:
    """What confirms a waiting delete."""
    return "a newer backup" if record.waits_for_backup else "a second look"


def further_reasons(record: RecordReport) -> list[str]:
    """The reasons besides which side changed."""
    return [why for why in record.why if why != WHOSE_CHANGE.get(record.cause)]
