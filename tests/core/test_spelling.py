"""What is typed is matched in any case."""

import pytest

from engine.core.spelling import folded, spellings


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("LIGHT.Kitchen", "light.kitchen"),
        ("  light.kitchen\t", "light.kitchen"),
        ("STRASSE", "Straße"),
        ("KÜCHE", "Küche"),
        ("Ku\u0308che", "Küche"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("\u0345", "\u03b9"),
    ],
)
def test_case_blanks_and_composition_do_not_count(typed: str, stored: str) -> None:
    assert folded(typed) == folded(stored)


def test_other_letters_count() -> None:
    assert folded("Kuche") != folded("Küche")
    assert folded("light.a b") != folded("light.ab")


def test_an_id_is_looked_for_as_typed_first() -> None:
    assert spellings(" Light.A ") == ("Light.A", "light.a", "LIGHT.A")
    assert spellings("abc") == ("abc", "ABC")
    assert spellings("12") == ("12",)
