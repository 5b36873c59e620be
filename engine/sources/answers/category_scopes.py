"""The scopes whose categories are requested.

No command lists the scopes, and a category of a scope that is not requested would look deleted. So all known ones are
requested: those of Home Assistant's own pages, those in entity rows, those named by events, and those of categories
already stored. A scope that Home Assistant refuses to list is left out, and the snapshot reports it as not read.
"""

from collections.abc import Iterable, Iterator

import msgspec

from engine.core.records.record import Json
from engine.errors import SourceInvalid
from engine.sources.json_text import decode_json

# The scopes of Home Assistant's own pages (2024.4 to 2026.11, seen 2026-11-23).
_OWN = ("automation", "helpers", "scene", "script")


class CategoryScopes:
    """The scopes of one home; grows with what is read."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known` are the scopes of stored categories."""
        self._known = {*_OWN, *known}
        self._refused: set[str] = set()

    def add(self, scopes: Iterable[str]) -> None:
        """Request these scopes too from now on."""
        self._known.update(scopes)

    def refuse(self, scope: str) -> None:
        """Stop requesting a scope that Home Assistant refuses to list."""
        self._refused.add(scope)

    def __iter__(self) -> Iterator[str]:
        """The scopes to request, sorted."""
        return iter(sorted(self._known - self._refused))


class _Data(msgspec.Struct):
    scope: Json = None


class _CategoryEvent(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)


_EVENT = msgspec.json.Decoder(_CategoryEvent)


def scope_of_event(event: msgspec.Raw) -> tuple[str, ...]:
    """The scope that an event of the category registry names, if it names one."""
    try:
        scope = decode_json(_EVENT, event, "An event").data.scope
    except SourceInvalid:
        return ()
    return (scope,) if isinstance(scope, str) and scope else ()
