"""Points in time: Unix seconds inside the program, text only in documents."""

from datetime import UTC, datetime
from typing import Any

import msgspec

# The years 1 to 9999.
_FIRST, _LAST = -62_135_596_800.0, 253_402_300_799.0


class Instant(float):
    """A point in time in a document: behaves as a number, and is written as RFC 3339."""

    __slots__ = ()


def rfc3339(unix_seconds: float) -> str:
    """A point in time as text, UTC, to the millisecond; clamped to the first or last that the calendar has."""
    # Another program may have written any number into a store.
    moment = datetime.fromtimestamp(min(max(_FIRST, unix_seconds), _LAST), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(unix_seconds: float | None) -> Instant | None:
    """The point in time for a document; None stays None."""
    return None if unix_seconds is None else Instant(unix_seconds)


def instant_schema(type_: type) -> dict[str, Any]:
    """The JSON Schema of an `Instant`, for msgspec. Raises NotImplementedError for other types."""
    if type_ is not Instant:
        raise NotImplementedError
    return {"type": "string"}


def _written(value: object) -> str:
    if not isinstance(value, Instant):
        raise NotImplementedError(f"no document shows a {type(value).__name__}")
    return rfc3339(value)


_encode = msgspec.json.Encoder(enc_hook=_written).encode


def encode_document(document: object) -> bytes:
    """Encode a document as JSON, with points in time as RFC 3339."""
    return _encode(document)
