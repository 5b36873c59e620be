"""Decides whether and how to colour. Colour only repeats what symbols and words already say."""

import sys
from collections.abc import Mapping
from typing import NamedTuple, TextIO

_CODES = {"green": "32", "yellow": "33", "cyan": "36", "red": "31", "magenta": "35", "bold": "1"}


class Paint(NamedTuple):
    """Colours text, or leaves it unchanged."""

    is_on: bool

    def __call__(self, colour: str, text: str) -> str:
        """The text in the colour."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.is_on else text


def choose_paint(wish: str, environ: Mapping[str, str], stream: TextIO | None = None) -> Paint:
    """Whether to colour: decided by `wish` (auto, always, never), then the environment, then whether it is a terminal.

    NO_COLOR (https://no-color.org) and FORCE_COLOR count when they are set and not empty.
    """
    if wish != "auto":
        return Paint(wish == "always")
    if environ.get("NO_COLOR"):
        return Paint(False)
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return Paint(True)
    stream = stream or sys.stdout
    return Paint(environ.get("TERM") != "dumb" and stream is not None and stream.isatty())
