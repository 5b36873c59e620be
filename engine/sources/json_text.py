"""Decoding JSON of other programs, so that an error names where it was found and never shows content.

A registry file holds secrets beside what is wanted, hence no excerpts.
"""

import codecs
import re
from typing import TypeVar

import msgspec

from engine.errors import SourceInvalid

Decoded = TypeVar("Decoded")


def decode_json(decoder: msgspec.json.Decoder[Decoded], text: bytes | msgspec.Raw, what: str) -> Decoded:
    """Decode `text`; raises SourceInvalid, with `what` as its subject, when it is no such JSON."""
    try:
        if isinstance(text, bytes):
            # An editor may have put a byte order mark in front, which is no JSON.
            text = text.removeprefix(codecs.BOM_UTF8)
        if isinstance(text, bytes) and (broken := _broken_at(text)) is not None:
            # Raw values are not looked into, so a broken name would surface without the file's name.
            raise SourceInvalid(f"{what} is not UTF-8 (byte {broken}).", _HINT)
        return decode_legible(decoder, text)
    except msgspec.ValidationError as error:
        raise SourceInvalid(f"{what} does not have the expected shape: {error}.", _HINT) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceInvalid(f"{what} is not JSON: {error}.", _HINT) from error


def is_utf_8(text: bytes) -> bool:
    """Whether it is a text at all."""
    return _broken_at(text) is None


def _broken_at(text: bytes) -> int | None:
    """Where a text is not UTF-8. Looked at in pieces, because the memory for all of it decoded costs more than decoding."""
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
    """Decode `text`, if need be without what `legible_json` takes out. Raises as the decoder does, and RecursionError."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        # Looked for first: a large answer that is simply cut off is not taken apart here.
        may_be_legible = isinstance(error, RecursionError) or _ILLEGIBLE.search(text)
        if isinstance(error, msgspec.ValidationError) or not may_be_legible:
            raise
        legible = legible_json(bytes(text))
        if legible is None:
            raise
    return decoder.decode(legible)


def legible_json(text: bytes) -> bytes | None:
    """The text with what Python's own encoder writes and strict decoders refuse taken out; None if it has none of that.

    Half a character (a lone surrogate) becomes the replacement character, a number that is none becomes null, and
    what nests deeper than a decoder can follow loses its inner part: it still is too deep for any record.
    """
    depth = changes = 0

    def replaced(match: re.Match[bytes]) -> bytes:
        nonlocal depth, changes
        token = match[0]
        if token in (b"[", b"{"):
            depth += 1
            # The first that is too deep is a value for what it was in.
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
# Within a record nothing that deep is taken, and the rows of a list stand a few levels down.
_DEPTH_MAX = 100
# A text may end without its quote, so that one that was cut off is searched once.
_TOKENS = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]|(?P<word>-?\b(?:NaN|Infinity)\b)|[,:]|[-+.\w]+', re.DOTALL
)
_ILLEGIBLE = re.compile(rb"\\u[dD][89a-fA-F]|NaN|Infinity")
_LONE_SURROGATE = re.compile(
    rb"(?P<kept>\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _repaired(match: re.Match[bytes]) -> bytes:
    return match["kept"] or b"\\ufffd"


_HINT = "Nothing was changed. It may be truncated or damaged, or not be Home Assistant's."
