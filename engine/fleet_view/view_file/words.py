"""The words for searching devices: letters and digits, in lower case and without accents. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

WORDS_MAX = 40
LETTERS_MAX = 40

_WORD = re.compile(r"[^\W_]+")


def words_of(texts: Iterable[str | None]) -> tuple[str, ...]:
    """The words of some texts, each once, sorted; at most a fixed number, and long ones truncated."""
    found = dict.fromkeys(word for text in texts if text for word in _words(text))
    return tuple(sorted(list(found)[:WORDS_MAX]))


def _words(text: str) -> Iterator[str]:
    if not text.isascii():
        # ligatures and full-width letters become plain letters; accents become separate characters and are dropped
        decomposed = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    for found in _WORD.finditer(text.casefold()):
        yield found.group()[:LETTERS_MAX]
