"""Decodes JSON of other programs, with errors that name its location and never show its content.

A registry file also holds secrets, so errors contain no excerpts.
"""

import codecs
import re
from typing import TypeVar

import msgspec

from engine.errors import SourceInvalid

Decoded = TypeVar("Decoded")


def decode_json(decoder: msgspec.json.Decoder[Decoded], text: bytes | msgspec.Raw, what: str) -> Decoded:
    """Decode `text`. Raises SourceInvalid, with `what` as the subject, when it is not such JSON."""
    try:
        if isinstance(text, bytes):
            # An editor may have added a byte order mark, which JSON does not allow.
            text = text.removeprefix(codecs.BOM_UTF8)
        if isinstance(text, bytes) and (broken := _broken_at(text)) is not None:
            # msgspec does not look into raw values, so broken UTF-8 would surface later, without the file's name.
            raise SourceInvalid(f"{what} is not UTF-8 (byte {broken}).", _HINT)
        return decode_legible(decoder, text)
    except msgspec.ValidationError as error:
        raise SourceInvalid(f"{what} does not have the expected shape: {error}.", _HINT) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceInvalid(f"{what} is not JSON: {error}.", _HINT) from error


def is_utf_8(text: bytes) -> bool:
    """Whether it is valid UTF-8."""
    return _broken_at(text) is None


def _broken_at(text: bytes) -> int | None:
    """The offset of the first invalid UTF-8. Works in chunks, because memory for the whole decoded text costs more than decoding."""
    if text.isascii():
        return None
    view, at = memoryview(text), 0
    while at < len(view):
        end = at + _PIECE_BYTES
        try:
            _, used = codecs.utf_8_decode(view[at:end], "strict", end >= len(view))
        except UnicodeDecodeError as error:
            return at + error.start
        at += used
    return None


def decode_legible(decoder: msgspec.json.Decoder[Decoded], text: bytes | msgspec.Raw) -> Decoded:
    """Decode `text`, if necessary as changed by `legible_json`. Raises what the decoder raises, and RecursionError."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        # Searched for first, so that a large answer that is simply cut off is not rewritten here.
        may_be_legible = isinstance(error, RecursionError) or _ILLEGIBLE.search(text)
        if isinstance(error, msgspec.ValidationError) or not may_be_legible:
            raise
        legible = legible_json(bytes(text))
        if legible is None:
            raise
    return decoder.decode(legible)


def legible_json(text: bytes) -> bytes | None:
    """The text without anything that Python's encoder writes but strict decoders refuse; None if it has nothing of the kind.

    A lone surrogate becomes the replacement character, NaN and infinities become null, and
    a value nested deeper than a decoder can follow loses its inner part: it is still too deep for any record.
    """
    depth = changes = 0

    def replaced(match: re.Match[bytes]) -> bytes:
        nonlocal depth, changes
        token = match[0]
        if token in (b"[", b"{"):
            depth += 1
            # The outermost value that is too deep becomes 0 in its parent.
            token = b"0" if depth == _DEPTH_MAX + 1 else token
            token = b"" if depth > _DEPTH_MAX + 1 else token
        elif token in (b"]", b"}"):
            depth -= 1
            token = b"" if depth >= _DEPTH_MAX else token
        elif depth > _DEPTH_MAX:
            token = b""
        elif token.startswith(b'"'):
            token = _LONE_SURROGATE.sub(_repaired, token)
        elif match["word"]:
            token = b"null"
        changes += token != match[0]
        return token

    found = _TOKENS.sub(replaced, text)
    return found if changes else None


_PIECE_BYTES = 2**16
# No record accepts a value that deep, and the rows of a list are a few levels down.
_DEPTH_MAX = 100
# A string may end without its quote, so that a truncated text is searched only once.
_TOKENS = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]|(?P<word>-?\b(?:NaN|Infinity)\b)|[,:]|[-+.\w]+', re.DOTALL
)
_ILLEGIBLE = re.compile(rb"\\u[dD][89a-fA-F]|NaN|Infinity")
_LONE_SURROGATE = re.compile(
    rb"(?P<kept>\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _repaired(match: re.Match[bytes]) -> bytes:
    return match["kept"] or b"\\ufffd"


_HINT = "Nothing was changed. It may be truncated or damaged, or not from Home Assistant."
