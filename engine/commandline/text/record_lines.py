"""One record of a report as text: a headline with symbol and word, then the differences and reasons."""

from engine.commandline.text.colour import Paint
from engine.commandline.text.safe_text import name_text, value_text, visible
from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Action, FieldChange
from engine.core.state.report import RecordReport

# In the order in which groups are printed: removals come first.
WORDS = ("remove", "move", "change", "add", "foreign")
_SYMBOLS = {"remove": "-", "move": ">", "change": "~", "add": "+", "foreign": "?"}
_COLOURS = {"remove": "red", "move": "cyan", "change": "yellow", "add": "green", "foreign": "magenta"}

LINES_MAX = 50


def word_of(record: RecordReport) -> str:
    """The action for the record, as one of WORDS."""
    if record.action is None or (record.cause is Cause.FOREIGN and record.action is not Action.DELETE):
        return "foreign"
    if record.action is Action.DELETE:
        return "remove"
    if record.action is Action.MOVE:
        return "move"
    return "add" if record.kind is Kind.MISSING else "change"


def headline(record: RecordReport, paint: Paint, remark: str = "") -> str:
    """Symbol, word, key and name of one record; an entity is named by its entity_id, as users know it."""
    word = word_of(record)
    known_as = record.entity_id or record.key
    text = f"{_SYMBOLS[word]} {word:<7} {visible(f'{record.registry}/{known_as}')}"
    if record.name != known_as:
        text += f" {name_text(record.name)}"
    return f"  {paint(_COLOURS[word], text)}{f' ({remark})' if remark else ''}"


def field_line(change: FieldChange) -> str:
    """One changed field: the replica's value and the desired one."""
    return f"      {visible(change.name)}: {value_text(change.replica)} -> {value_text(change.source)}"


def sorted_by_key(records: list[RecordReport]) -> list[RecordReport]:
    """The records in the order of printing."""
    return sorted(records, key=lambda r: (r.registry, r.entity_id or "", r.key))


def capped(blocks: list[list[str]], *, is_full: bool, total: int | None = None) -> list[str]:
    """The blocks' lines, up to the cap; a block is printed whole or not at all.

    `total` is the number of all blocks, if only the first are given: more than fit.
    """
    lines: list[str] = []
    for number, block in enumerate(blocks):
        if lines and not is_full and len(lines) + len(block) > LINES_MAX:
            return [*lines, f"    ... and {(total or len(blocks)) - number} more (--full)"]
        lines += block
    return lines


def listing(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def plural(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
