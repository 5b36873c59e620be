"""What became of a record that is not found under the requested name. Pure: evidence in, a sentence out.

An id or entity_id that the change feed, the tombstones or the records ever knew is never called unknown.
"""

from collections.abc import Sequence

import msgspec

from engine.core.records.record import Key
from engine.core.times import rfc3339


class Former(msgspec.Struct, frozen=True):
    """A record that once had the asked name, or id, as one store remembers it.

    `ended_at`: when it was deleted there, Unix seconds; None while it is not, as far as that store knows.
    """

    key: Key
    seen_at: float  # when that store last wrote of it
    ended_at: float | None = None
    is_foreign: bool = False  # it was never Home Assistant's


class Fate(msgspec.Struct, frozen=True):
    """What became of a record: `renamed`, `deleted`, `lost` (its row is gone without a delete)."""

    what: str
    registry: str
    id: str
    now_called: str | None  # the entity_id, or the id, under which it is found now
    at: float | None  # when that was found, Unix seconds; None: not known
    text: str


def fate_of(asked: str, formers: Sequence[Former], called: dict[Key, str]) -> Fate | None:
    """What became of the newest record that was known as `asked`; None when none ever was.

    `called` are those of them that have a row now, and the entity_id or id under which it is found.
    """
    keys = {former.key for former in formers}
    if not keys:
        return None
    present = sorted(key for key in keys if key in called)
    key = present[0] if present else max(formers, key=lambda f: (f.seen_at, f.key)).key
    own = [former for former in formers if former.key == key]
    named = f"{key.registry} {asked[:255]!r}"
    if key in called:
        text = f"The {named} has another name by now: it is {called[key]!r} (id {key.id})."
        return Fate("renamed", *key, called[key], None, text)
    ended = [former.ended_at for former in own if former.ended_at is not None]
    seen_at = max(former.seen_at for former in own)
    # A store that was written to after the deletion knows better.
    if ended and max(ended) >= seen_at:
        at = max(ended)
        whose = "a foreign row, which was pruned" if any(f.is_foreign for f in own) else "deleted"
        text = f"The {named} is gone: it was {whose} at {rfc3339(at)} (id {key.id})."
        return Fate("deleted", *key, None, at, text)
    text = (
        f"The row of the {named} (id {key.id}) is missing, although it was last written at {rfc3339(seen_at)} and was not deleted"
        " since, as far as is known: the next pass compares it with Home Assistant."
    )
    return Fate("lost", *key, None, seen_at, text)


def former_of(key: Key, revisions: Sequence[tuple[float, bool]]) -> list[Former]:
    """A record as its timeline remembers it: (Unix seconds, whether it ended then), oldest first; None without any."""
    if not revisions:
        return []
    at, is_end = revisions[-1]
    return [Former(key, at, at if is_end else None)]
