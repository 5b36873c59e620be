"""A mapping with a few changes over a shared one, so that the cost of a small change depends on its size.

A home has tens of thousands of records and an event changes one of them. A copy for each change would cost more
than all other work for the change, both in making it and in freeing the previous one.
"""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from enum import Enum
from typing import TypeVar, overload

from engine.core.home.lazy_mappings import LazyMapping

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

# All entries are copied once more than one in this many has changed: replaced entries stay in memory until then.
_ENTRIES_PER_CHANGE_MIN = 16


class _Gone(Enum):
    GONE = 0


_GONE = _Gone.GONE


def with_changes(before: Mapping[K, V], changed: Mapping[K, V], gone: Iterable[K]) -> Mapping[K, V]:
    """The mapping without the entries `gone` (if present), and with others replaced or added.

    `before` must not be mutated afterwards: it is shared.
    """
    if not len(before):
        return dict(changed)
    base, earlier = before.layers if isinstance(before, Layered) else (_as_base(before), {})
    left = {key for key in gone if key in before and key not in changed}
    added = sum([key not in before for key in changed])
    changes = earlier.copy()
    changes.update(dict.fromkeys(left, _GONE))
    changes.update(changed)
    later = Layered(base, changes, len(before) + added - len(left))
    return later if len(changes) * _ENTRIES_PER_CHANGE_MIN <= len(base) else later.flat()


class Layered(Mapping[K, V]):
    """The entries of a dict, or of a column, with changes over it. The first iteration merges both into one dict."""

    def __init__(self, base: dict[K, V] | LazyMapping[K, V], changes: dict[K, V | _Gone], count: int) -> None:
        """Takes ownership of the arguments, with `count` entries in all; see `with_changes`."""
        # In one attribute, because a thread may read while another merges them.
        self.layers = (base, changes)
        self._count = count

    def flat(self) -> dict[K, V]:
        """All entries in one dict, which is shared."""
        base, changes = self.layers
        if changes:
            base = base.copy()
            for key, value in changes.items():
                if value is _GONE:
                    base.pop(key, None)
                else:
                    base[key] = value
            self.layers = (base, {})
        return base if isinstance(base, dict) else base.flat()

    def __getitem__(self, key: K) -> V:
        """The entry under a key. Raises KeyError."""
        base, changes = self.layers
        if key not in changes:
            return base[key]
        value = changes[key]
        if value is _GONE:
            raise KeyError(key)
        return value

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | T) -> V | T: ...
    def get(self, key: K, /, default: object = None) -> object:
        """The entry under a key, or `default`."""
        base, changes = self.layers
        if key not in changes:
            return base.get(key, default)
        value = changes[key]
        return default if value is _GONE else value

    def __contains__(self, key: object) -> bool:
        """Whether there is an entry under a key."""
        base, changes = self.layers
        return changes[key] is not _GONE if key in changes else key in base

    def __len__(self) -> int:
        """How many entries there are."""
        return self._count

    def __iter__(self) -> Iterator[K]:
        """Go through the keys."""
        return iter(self.keys())

    # A dict's own views, whose set operations are fast; the view of the values looks them up on access.
    def keys(self) -> KeysView[K]:
        """All keys."""
        base, changes = self.layers
        if isinstance(base, dict):
            return self.flat().keys()
        # The values of a column need not be created.
        left: dict[K, int | None] = base.positions.by_key | dict.fromkeys(changes)
        for key, value in changes.items():
            if value is _GONE:
                left.pop(key, None)
        return left.keys()

    def untouched(self) -> LazyMapping[K, V] | None:
        """The column below the changes, if there is one."""
        return self.layers[0] if isinstance(self.layers[0], LazyMapping) else None

    def items(self) -> ItemsView[K, V]:
        """All entries."""
        return self.flat().items()

    def values(self) -> ValuesView[V]:
        """All values."""
        return _Values(self)

    def __eq__(self, other: object) -> bool:
        """Whether another mapping has the same entries."""
        if isinstance(other, Layered):
            return self.flat() == other.flat()
        return self.flat() == other if isinstance(other, dict) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.flat())


class _Values(ValuesView[V]):
    _mapping: Layered[object, V]

    def __iter__(self) -> Iterator[V]:
        return iter(self._mapping.flat().values())


def _as_base(mapping: Mapping[K, V]) -> dict[K, V] | LazyMapping[K, V]:
    return mapping if isinstance(mapping, (dict, LazyMapping)) else dict(mapping)
