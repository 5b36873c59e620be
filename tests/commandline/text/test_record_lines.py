"""The words and lines that a plan and a drift report share."""

import pytest

from engine.commandline.text.colour import Paint
from engine.commandline.text.record_lines import WORDS, capped, field_line, headline, listing, plural, word_of
from engine.core.compare.plan import Action, FieldChange
from engine.core.state.report import RecordReport
from tests.commandline.reports import added, changed, foreign, record, removed


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (removed("A"), "remove"),
        (record("A", action=Action.MOVE), "move"),
        (changed("A"), "change"),
        (added("A"), "add"),
        (foreign("A"), "foreign"),
        (foreign("A", action=Action.DELETE), "remove"),
    ],
)
def test_every_record_has_one_word(found: RecordReport, word: str) -> None:
    assert word_of(found) == word
    assert word in WORDS


def test_a_headline_has_symbol_word_key_and_name() -> None:
    assert headline(added("Plug"), Paint(False), "waits") == '  + add     device/plug "Plug" (waits)'
    assert headline(added("plug"), Paint(False)) == "  + add     device/plug"


def test_a_field_reads_from_the_replica_to_the_source() -> None:
    assert field_line(FieldChange("labels", ["a"], None)) == '      labels: none -> ["a"]'


def test_a_block_longer_than_the_cap_is_still_shown_once() -> None:
    assert capped([["x"] * 80, ["y"]], is_full=False) == ["x"] * 80 + ["    ... and 1 more (--full)"]
    assert capped([], is_full=False) == []
    assert len(capped([["x"]] * 50, is_full=False)) == 50


def test_lists_and_numbers_read_as_english() -> None:
    assert [listing(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert (plural(1, "row"), plural(0, "row")) == ("1 row", "0 rows")
