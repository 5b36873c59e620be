"""Makes untrusted text safe to print: device names come from any device on the network.

Characters that a terminal would execute or hide (control characters, escape sequences, direction overrides,
invisible characters) are shown as their codes, so that two different names never look the same.
"""

import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.records.record import Json

NAME_LENGTH_MAX = 80
VALUE_LENGTH_MAX = 160

# Cc control, Cf format (direction marks, tags), Cs surrogate, Co private, Zl and Zp line separators.
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # used in Persian words and in composed emoji; harmless
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")  # a JSON web token, as Home Assistant's are
_USER = re.compile(r"(?<=://)[^/\s@]*@")
_QUERY = re.compile(r"(?<=\S)(://(?!HOST[:/])[^\s?#]*)[?#]\S*")  # not HOST: a hint shows that form


def visible(text: str, length_max: int = VALUE_LENGTH_MAX) -> str:
    """The text on one line, without characters that control a terminal, cut at `length_max` characters."""
    if not text.isprintable():
        text = "".join(c if _is_shown(c) else _code(c) for c in text[: length_max + 1])
    return text if len(text) <= length_max else f"{text[: length_max - 3]}..."


def name_text(name: str) -> str:
    """A name, in quotes."""
    return value_text(name, NAME_LENGTH_MAX)


def value_text(value: "Json", length_max: int = VALUE_LENGTH_MAX) -> str:
    """Any JSON value on one line; strings in quotes, `none` for an absent one."""
    if value is None:
        return "none"
    return visible(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str), length_max)


def without_secrets(text: str) -> str:
    """The text with access tokens, and all parts of URLs but host and path, replaced by ***."""
    return _QUERY.sub(r"\1?***", _USER.sub("***@", _TOKEN.sub("***", text)))


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in _OBEYED or character in _JOINERS


def _code(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
