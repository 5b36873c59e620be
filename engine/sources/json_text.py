"""Decoding JSON that somebody else wrote, so that an error names where it stood and never shows content.

A registry file holds secrets beside what is wanted, hence no excerpts.
"""

from typing import TypeVar

import msgspec

from engine.errors import SourceInvalid

Decoded = TypeVar("Decoded")


def decode_json(decoder: msgspec.json.Decoder[Decoded], text: bytes | msgspec.Raw, what: str) -> Decoded:
    """Decode `text`; raises SourceInvalid, with `what` as its subject, when it is no such JSON."""
    try:
        if isinstance(text, bytes) and not text.isascii():
            # Raw values are not looked into, so a broken name would surface without the file's name.
            text.decode()
        return decoder.decode(text)
    except UnicodeDecodeError as error:
        # Not chained: it carries the whole text.
        raise SourceInvalid(f"{what} is not UTF-8 (byte {error.start}).", _HINT) from None
    except msgspec.ValidationError as error:
        raise SourceInvalid(f"{what} has not the expected shape: {error}.", _HINT) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceInvalid(f"{what} is not JSON: {error}.", _HINT) from error


_HINT = "Nothing was changed. It may be truncated or damaged, or not be Home Assistant's."
