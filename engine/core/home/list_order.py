"""The order of areas and floors that the user chose, as their positions in Home Assistant's lists.

The lists have had it since 2025.12 (its `reorder` commands); before, their order said nothing and changed by itself.
A position is a derived value: it is stored in rows, and no part of what an area or a floor says.
"""

from collections.abc import Iterable, Mapping

from engine.core.home.record import Key

ORDERED_REGISTRIES = ("area", "floor")
_ORDERED_SINCE = (2025, 12)


def tells_order(version: tuple[int, int] | None) -> bool:
    """Whether the lists of this Home Assistant, (year, month), are in the user's order; not known of an unknown one."""
    return version is not None and version >= _ORDERED_SINCE


def positions_of(lists: Mapping[str, Iterable[Key]]) -> dict[Key, int]:
    """The position of every area and floor, from 0, given their keys in the lists' order by registry."""
    return {
        key: position
        for registry in ORDERED_REGISTRIES
        for position, key in enumerate(lists.get(registry, ()))
    }
