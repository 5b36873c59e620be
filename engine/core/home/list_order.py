"""The order of areas and floors that the user chose, as their positions in Home Assistant's lists.

The lists have had it since 2025.12 (its `reorder` commands); before, their order meant nothing and changed on its own.
A position is a derived value: it is stored in rows, and no part of what an area or a floor says. So a records replica
keeps the order beside its records, as one text, for the day on which rows are restored from there.
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
    """Whether the lists of this Home Assistant, (year, month), are in the user's order; not known of an unknown one."""
    return version is not None and version >= _ORDERED_SINCE


def positions_of(lists: Mapping[str, Iterable[Key]], set_aside: Iterable[SetAside] = ()) -> dict[Key, int]:
    """The position of every area and floor, from 0, given their keys in the lists' order by registry.

    Rows that are `set_aside` are not among the keys, and keep their places.
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
    """The positions after a look at Home Assistant: those it lists, and the known ones of what was not read."""
    return {key: place for key, place in known.items() if key.registry not in registries} | {
        key: place for key, place in listed.items() if key.registry in registries
    }


def encode_order(positions: Mapping[Key, int]) -> str:
    """The order as a text: the ids of each registry that has one, in order; empty if none has."""
    lists: dict[str, list[str]] = {}
    for key in sorted(positions, key=lambda key: (key.registry, positions[key])):
        lists.setdefault(key.registry, []).append(key.id)
    return _encode(lists).decode() if lists else ""


def decode_order(text: object) -> dict[Key, int]:
    """The positions that a text of `encode_order` says; none where it is no such text."""
    if not text or not isinstance(text, str):
        return {}
    try:
        lists = _decode(text)
    except DECODE_ERRORS:
        return {}
    return positions_of({name: [Key(name, id_) for id_ in ids] for name, ids in lists.items()})


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, list[str]]).decode
