"""What became of a record that is not found under the requested name. Pure: evidence in, a sentence out.

An id or entity_id that the change feed, the tombstones or the records store ever had is never reported as unknown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.core.records.record import Json, Key
from engine.core.spelling import folded
from engine.core.times import rfc3339

VERSIONS_MAX = 50  # the versions of a record that are searched for its names


class Former(msgspec.Struct, frozen=True):
    """A record that once had the requested name, or id, as one store remembers it.

    `ended_at`: when it was deleted there, Unix seconds; None if it was not, as far as that store knows. `borne_at`: up to
    when it had the requested name there; None if that store does not know.
    """

    key: Key
    seen_at: float  # when that store last wrote the record
    ended_at: float | None = None
    is_foreign: bool = False  # it was never Home Assistant's
    borne_at: float | None = None


class _Version(Protocol):
    """A version of a record, as a timeline has it."""

    @property
    def at(self) -> float: ...
    @property
    def op(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Json]: ...


class Fate(msgspec.Struct, frozen=True):
    """What became of a record: `renamed`, `deleted`, `lost` (its row is gone without a delete)."""

    what: str
    registry: str
    id: str
    now_called: str | None  # the entity_id, or the id, under which it is found now
    at: float | None  # when that was found, Unix seconds; None: unknown
    text: str


def fate_of(asked: str, formers: Sequence[Former], called: dict[Key, str]) -> Fate | None:
    """What became of the last record known as `asked`, preferably one that has a row now; None if there never was one.

    `called` maps the records that have a row now to the entity_id or id under which it is found.
    """
    if not formers:
        return None
    borne = _borne(formers)
    last = max(borne, key=lambda key: (borne[key], key))
    key = max(borne.keys() & called.keys(), key=lambda key: (borne[key], key), default=last)
    own = [former for former in formers if former.key == key]
    prefix = f"{key.registry}/"
    known_as = asked[len(prefix) :] if folded(asked).startswith(prefix) else asked
    named = f"{key.registry} {known_as[:255]!r}"
    if key in called and folded(key.id) == folded(known_as):
        text = f"The {key.registry} with the id {key.id!r} is {called[key]!r}."
        return Fate("renamed", *key, called[key], None, text)
    if key in called:
        what = "name" if key.registry == "entity" else "id"
        text = f"The {named} has another {what} by now: it is {called[key]!r} (id {key.id})."
        if last not in called and folded(last.id) != folded(known_as):
            text += f" Another one had the name after it, and is gone (id {last.id})."
        return Fate("renamed", *key, called[key], None, text)
    ended = [former.ended_at for former in own if former.ended_at is not None]
    seen_at = max(former.seen_at for former in own)
    # A store that was written after the deletion knows more.
    if ended and max(ended) >= seen_at:
        at = max(ended)
        whose = "a foreign row, which was pruned" if any(f.is_foreign for f in own) else "deleted"
        text = f"The {named} is gone: it was {whose} at {rfc3339(at)} (id {key.id})."
        return Fate("deleted", *key, None, at, text)
    text = (
        f"The row of the {named} (id {key.id}) is missing, although it was last written at {rfc3339(seen_at)} and was not deleted"
        " since, as far as is known: if Home Assistant still has it, the next pass writes it."
    )
    return Fate("lost", *key, None, seen_at, text)


def former_of(
    key: Key, revisions: Sequence[tuple[float, bool]], borne_at: float | None = None
) -> list[Former]:
    """The record of a timeline: (Unix seconds, whether it ended then), oldest first; none for an empty timeline."""
    if not revisions:
        return []
    at, is_end = revisions[-1]
    return [Former(key, at, at if is_end else None, borne_at=borne_at)]


def recorded_formers(
    asked: str, keys: Iterable[Key], holders: Iterable[Key], newest: Callable[[Key, int], Sequence[_Version]]
) -> Iterator[Former]:
    """The records among `keys`, and among the `holders` of the requested name, that have a timeline.

    `newest` returns that many of a record's newest versions, oldest first; its exceptions are passed on.
    """
    held = set(holders)
    for key in sorted({*keys, *held}):
        # The last holder of the name has to be found only if it had several.
        versions = newest(key, VERSIONS_MAX if len(held) > 1 else 1)
        until = borne_at(asked, [(v.at, v.fields.get("entity_id")) for v in versions])
        yield from former_of(key, [(v.at, v.op == "delete") for v in versions], until)


def borne_at(asked: str, versions: Iterable[tuple[float, object]]) -> float | None:
    """Up to when a record had the requested name, from its versions: (Unix seconds, name), oldest first; None if it never did."""
    found, had_it, wanted = None, False, folded(asked)
    for at, name in versions:
        has_it = isinstance(name, str) and folded(name) == wanted
        if had_it or has_it:
            found = at
        had_it = has_it
    return found


def _borne(formers: Sequence[Former]) -> dict[Key, float]:
    """Up to when each record had the name: by the stores that know it, else when it was last seen."""
    said: dict[Key, float] = {}
    for former in formers:
        if former.borne_at is not None:
            said[former.key] = max(former.borne_at, said.get(former.key, former.borne_at))
    seen: dict[Key, float] = {}
    for former in formers:
        seen[former.key] = max(former.seen_at, seen.get(former.key, former.seen_at))
    return seen | said
