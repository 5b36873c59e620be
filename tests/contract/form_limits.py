"""Facts that a form of reading a home cannot know, so that its silence is not mistaken for an answer.

Two readings of one home agree in all fields that both forms know; a field listed here has its default in the
records of that form. Fields that are never hashed (see `Record.UNHASHED`) are not listed. A whole registry
that a form cannot read is missing from `Snapshot.registries` instead.

Key differences that are brought to one form and therefore no limits: names in the store are stripped of their
device's name, sets are sorted, and what config entries hold in secret is read by none.
"""

from typing import NamedTuple

from engine.core.home.snapshot import version_of


class Limit(NamedTuple):
    """Fields of a registry that a form does not know for Home Assistant before `before` (None: for all)."""

    form: str
    registry: str
    fields: tuple[str, ...]
    before: tuple[int, int] | None
    reason: str


_EXTENDED = ("aliases", "capabilities", "device_class", "original_device_class", "original_icon")

LIMITS = (
    Limit("websocket", "device", ("labels",), (2024, 4), "stored, but not in the list's rows"),
    Limit("websocket", "area", ("floor_id", "labels"), (2024, 4), "stored, but not in the list's rows"),
    Limit("websocket", "floor", ("aliases",), (2024, 4), "stored, but not in the list's rows"),
    Limit("websocket", "config_entry", ("subentries",), None, "only an administrator may list them"),
    Limit("capture, without get_entries", "entity", _EXTENDED, None, "only in extended rows"),
)


def unknown_fields(form: str, ha_version: str | None) -> dict[str, frozenset[str]]:
    """By registry, the fields that `form` does not know of a core of this version (None: a recent one).

    A capture is a recorded websocket and has its limits. Forms: websocket, capture, storage, backup.
    """
    version = version_of(ha_version) or (9999, 12)
    forms = {"capture": "websocket"}
    return {
        limit.registry: frozenset(limit.fields)
        for limit in LIMITS
        if limit.form == forms.get(form, form) and (limit.before is None or version < limit.before)
    }
