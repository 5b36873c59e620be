"""The limit on how deep lists and objects in one field may nest; Home Assistant's own nest to five.

A deeper value could be read here but exceed the recursion limit of a library elsewhere.
"""

from typing import Any

import msgspec

NESTING_MAX = 32

_encode = msgspec.json.Encoder().encode


def nests_too_deep(value: Any) -> bool:
    """Whether lists and objects in a JSON value nest deeper than `NESTING_MAX`."""
    try:
        text = _encode(value)
    except RecursionError:
        return True
    # Count brackets first: hardly any value has that many.
    return text.count(b"[") + text.count(b"{") > NESTING_MAX and _nests_deeper(value, NESTING_MAX)


def _nests_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, (list, tuple, dict)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_nests_deeper(v, levels - 1) for v in inner)
