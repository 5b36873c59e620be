"""The words of reports: their spelling, and which is the most severe."""

import msgspec
import pytest

from engine.core.words import GuardName, Mode, Outcome, SyncStatus, combined_status


@pytest.mark.parametrize("words", [SyncStatus, Mode, Outcome, GuardName])
def test_what_is_written_is_the_word(words: type[SyncStatus]) -> None:
    for word in words:
        assert (str(word), f"{word}", msgspec.json.encode(word)) == (
            word.value,
            word.value,
            f'"{word}"'.encode(),
        )


def test_the_whole_is_as_its_most_alarming_part_in_any_order() -> None:
    order = [SyncStatus.IN_SYNC, SyncStatus.OUT_OF_SYNC, SyncStatus.BLOCKED, SyncStatus.UNKNOWN]
    for index, worst in enumerate(order):
        assert combined_status(order[: index + 1]) is worst
        assert combined_status(reversed(order[: index + 1])) is worst


def test_of_nothing_nothing_is_known() -> None:
    assert combined_status([]) is SyncStatus.UNKNOWN
