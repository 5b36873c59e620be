"""Names in the entity store: which core's rule they follow, and original names as the websocket shows them.

Since 2026.4 Home Assistant stores the full name that an integration gave and strips the device's name when
it lists entities, for integrations that do not set `has_entity_name`. A reader of the store must strip it too, or
one home would have two contents. The rule comes from `helpers/entity_registry.py`
(`_async_strip_prefix_from_entity_name`) of 2026.4.0 and 2026.11.0, where it is the same (seen 2026-11-23).
"""

_SEPARATORS = " -:"

# The minor versions of the entity store at which the naming rule changed, and the cores that write them
# (`STORAGE_VERSION_MINOR` of `helpers/entity_registry.py` from 2024.3.3 to 2026.11.0, seen 2026-11-28). 2026.9 and
# 2026.10 both write 23 and differ only in names that a user emptied: those are shown as 2026.10 shows them.
_RULES = ((24, (2026, 11)), (23, (2026, 10)), (22, (2026, 4)), (20, (2026, 2)))
_OLDEST_RULE = (2024, 3)


def names_as_of(minor: int) -> tuple[int, int]:
    """The version, (year, month), whose rule names the entities of a store with this minor version."""
    return next((version for first, version in _RULES if minor >= first), _OLDEST_RULE)


def without_device_name(name: str | None, device_name: str | None) -> str | None:
    """The rest of `name` after `device_name` and at least one separator; `name` itself if it has no such prefix.

    The rest is empty when the names are equal. Letter case does not matter, and a first word in lower case is
    capitalised.
    """
    if not name or not device_name:
        return name
    end = _folded_prefix_end(name, device_name.casefold())
    if end is None:
        return name
    rest = name[end:].lstrip(_SEPARATORS)
    if not rest:
        return ""
    if len(rest) == len(name) - end:
        return name
    first_word = rest.partition(" ")[0]
    return rest[0].upper() + rest[1:] if first_word.islower() else rest


def _folded_prefix_end(name: str, folded_prefix: str) -> int | None:
    """How many characters of `name` fold to exactly the prefix; None when none do.

    One character may fold to several ("ß" to "ss"), and then cannot be cut in the middle.
    """
    folded = ""
    end = 0
    while len(folded) < len(folded_prefix) and end < len(name):
        folded += name[end].casefold()
        end += 1
    return end if folded == folded_prefix else None
