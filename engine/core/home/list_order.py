"""The user's order of areas and floors, as their positions in Home Assistant's lists.

The lists have had it since 2025.12 (the `reorder` commands); before, their order was meaningless and changed on its own.
A position is a derived value: it is stored in rows, but is not part of the record of an area or floor. So a records replica
stores the order beside its records, as one text, so that rows can be restored from there.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import count

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.records.record import Key
from engine.core.records.registries import BY_NAME
from engine.core.records.set_aside import SetAside

ORDERED_REGISTRIES = tuple(sorted(registry.name for registry in BY_NAME.values() if registry.is_ordered))
_ORDERED_SINCE = (2025, 12)


def has_order(version: tuple[int, int] | None) -> bool:
    """Whether this Home Assistant version, (year, month), lists in the user's order; False if the version is unknown."""
    return version is not None and version >= _ORDERED_SINCE


def positions_of(lists: Mapping[str, Iterable[Key]], set_aside: Iterable[SetAside] = ()) -> dict[Key, int]:
    """The position of every area and floor, from 0, given their keys in the lists' order by registry.

    Rows that are `set_aside` are not among the keys, but still count.
    """
    taken = {(row.registry, row.position - 1) for row in set_aside if row.position}
    return {
        key: position
        for registry in ORDERED_REGISTRIES
        for key, position in zip(
            lists.get(registry, ()), (n for n in count() if (registry, n) not in taken), strict=False
        )
    }


def later_order(
    known: Mapping[Key, int], listed: Mapping[Key, int], registries: Collection[str]
) -> dict[Key, int]:
    """The positions after a look at Home Assistant: those it lists, and the known ones of registries not read."""
    return {key: place for key, place in known.items() if key.registry not in registries} | {
        key: place for key, place in listed.items() if key.registry in registries
    }


def encode_order(positions: Mapping[Key, int]) -> str:
    """Encode the order as text: the ids of each ordered registry, in order; empty if there are none."""
    lists: dict[str, list[str]] = {}
    for key in sorted(positions, key=lambda key: (key.registry, positions[key])):
        lists.setdefault(key.registry, []).append(key.id)
    return _encode(lists).decode() if lists else ""


def decode_order(text: object) -> dict[Key, int]:
    """Decode the positions from a text made by `encode_order`; empty for any other text."""
    if not text or not isinstance(text, str):
        return {}
    try:
        lists = _decode(text)
    except DECODE_ERRORS:
        return {}
    return positions_of({name: [Key(name, id_) for id_ in ids] for name, ids in lists.items()})


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, list[str]]).decode
