"""The scopes whose categories are requested.

No command lists them, and a category of a scope that is not requested would look deleted. So all known ones are
requested: those of Home Assistant's own pages, those in the entities' rows, those that an event named, and those of
the categories that are stored already. A scope that Home Assistant refuses to list is left out, and reported as not
read with the snapshot.
"""

from collections.abc import Iterable, Iterator

import msgspec

from engine.core.records.record import Json
from engine.errors import SourceInvalid
from engine.sources.json_text import decode_json

# Those of Home Assistant's own pages (2024.4 to 2026.11, seen 2026-11-23).
_OWN = ("automation", "helpers", "scene", "script")


class CategoryScopes:
    """The scopes of one home; grows with what is read."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known` are those of stored categories."""
        self._known = {*_OWN, *known}
        self._refused: set[str] = set()

    def add(self, scopes: Iterable[str]) -> None:
        """Ask for these as well from now on."""
        self._known.update(scopes)

    def refuse(self, scope: str) -> None:
        """Home Assistant does not list this one."""
        self._refused.add(scope)

    def __iter__(self) -> Iterator[str]:
        """Those to ask for, sorted."""
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
