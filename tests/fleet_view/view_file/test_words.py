"""The words that devices are searched by."""

import pytest

from engine.fleet_view.view_file.words import LETTERS_MAX, WORDS_MAX, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Küche oben, Lampe 2", ("2", "kuche", "lampe", "oben")),
        ("STRASSE Straße", ("strasse",)),
        ("1.2.3-beta_4", ("1", "2", "3", "4", "beta")),
        ("\uff28\uff55\uff45 \ufb01n", ("fin", "hue")),
        ("日本語", ("日本語",)),
        ('"OR" § ; --', ("or",)),
        ("\x00\u202e \u200b", ()),
    ],
)
def test_words_are_letters_and_digits_in_lower_case_without_accents(
    text: str, words: tuple[str, ...]
) -> None:
    assert words_of((text, None, "")) == words


def test_words_are_bounded() -> None:
    found = words_of([" ".join(f"w{number}" for number in range(1000)), "x" * 1_000_000])
    assert len(found) == WORDS_MAX
    assert words_of(["x" * 1_000_000]) == ("x" * LETTERS_MAX,)
