"""What a decoder raises for text or bytes that are not what they should be."""

import msgspec

# MsgspecError: no JSON, or another shape. UnicodeError: no UTF-8, or half a character. RecursionError: nested too deep.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)
