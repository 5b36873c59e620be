"""The exceptions that decoders raise for invalid text or bytes."""

import msgspec

# MsgspecError: not JSON, or another shape. UnicodeError: not UTF-8, or half a character. RecursionError: nested too deep.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)
