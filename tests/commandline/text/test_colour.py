"""When there is colour."""

import io

import pytest

from engine.commandline.text.colour import Paint, choose_paint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("wish", "environ", "is_terminal", "is_on"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_the_option_wins_over_the_environment_over_the_terminal(
    wish: str, environ: dict[str, str], is_terminal: bool, is_on: bool
) -> None:
    stream = Terminal() if is_terminal else io.StringIO()
    assert choose_paint(wish, environ, stream).is_on is is_on


def test_no_colour_leaves_text_alone() -> None:
    assert Paint(False)("red", "text") == "text"
    assert Paint(True)("red", "text") == "\x1b[31mtext\x1b[0m"
