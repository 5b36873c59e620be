"""The name of a set of deletes that a guard holds, by which a user allows exactly these deletes.

A name consists of the number of records and a digest of their keys and the day. So it becomes invalid when one record more
or fewer is missing, and after the following day: a name left in the settings allows nothing later.
"""

from collections.abc import Collection
from hashlib import sha256

from engine.core.records.record import Key

_DAY_SECONDS = 86_400
_DIGITS = 10


def name_of_deletes(keys: Collection[Key], at: float) -> str:
    """The name for the day (UTC) of `at`, Unix seconds."""
    return _name(keys, int(at // _DAY_SECONDS))


def is_allowed(keys: Collection[Key], at: float, allowed: Collection[str]) -> bool:
    """Whether one of the names is today's or yesterday's name of these deletes; an empty set has no name."""
    day = int(at // _DAY_SECONDS)
    return bool(allowed and keys) and not {_name(keys, day), _name(keys, day - 1)}.isdisjoint(allowed)


def _name(keys: Collection[Key], day: int) -> str:
    # With their lengths, because an id may contain any character.
    text = "\0".join([str(day), *sorted(f"{len(key.id)} {key.registry}/{key.id}" for key in keys)])
    return f"{len(keys)}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGITS]}"
