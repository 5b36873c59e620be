"""An entity's original name as the websocket API shows it: without its device's name in front.

Since 2026.4 Home Assistant stores the full name that an integration gave and strips the device's name on the
way out, for integrations that do not say `has_entity_name`. Whoever reads the store must strip likewise, or
one home would have two contents. The rule was read in `helpers/entity_registry.py`
(`_async_strip_prefix_from_entity_name`) of 2026.4.0 and 2026.11.0, where it is the same (seen 2026-11-23).
"""

_SEPARATORS = " -:"


def without_device_name(name: str | None, device_name: str | None) -> str | None:
    """The rest of `name` after `device_name` and at least one separator; `name` itself if it has no such front.

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
