"""A record's verdict as text: whether it is real, since when, why, the fields, and what to do."""

from engine.commandline.text.safe_text import value_text, visible
from engine.core.state.record_states import LABELS
from engine.core.state.record_verdict import RecordVerdict
from engine.core.times import rfc3339


def verdict_lines(verdict: RecordVerdict) -> list[str]:
    """The lines below a record's headline."""
    since = f" since {rfc3339(verdict.since)}" if verdict.since else ""
    reasons = [visible(reason) for reason in verdict.reasons]
    lines = [
        f"  {LABELS[verdict.state]}{since}: {_sentence(reasons[0])}"
        if reasons
        else f"  {LABELS[verdict.state]}."
    ]
    lines += [f"  {_sentence(reason)}" for reason in reasons[1:]]
    for each in verdict.differs:
        sides = f"Home Assistant {value_text(each.source)}, {each.replica} {value_text(each.found)}"
        lines.append(f"    {visible(each.name)}: {sides}")
    command = f" To do it: {verdict.command}" if verdict.command else ""
    return [*lines, f"  {verdict.next}{command}"]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
