"""Mappings for a home from an earlier process's cache: values are created on access, and most never are.

Changes may be layered over them (`layered`). They are never mutated.
"""

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from functools import cached_property
from itertools import repeat
from operator import eq
from typing import Generic, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")

_NOTHING = object()


class Positions(Generic[K]):
    """The positions of `count` keys, shared by several columns; `keys` is called at the first lookup."""

    def __init__(self, count: int, keys: Callable[[], Iterable[K]]) -> None:
        """`keys` must not contain duplicates."""
        self.count = count
        self._keys = keys

    @cached_property
    def by_key(self) -> dict[K, int]:
        """The positions, from 0."""
        return {key: position for position, key in enumerate(self._keys())}


class LazyMapping(Mapping[K, V]):
    """One value for each key, in the order of the keys; `values` is called at the first lookup."""

    def __init__(self, positions: Positions[K], values: Callable[[], Sequence[V]]) -> None:
        """Nothing is made yet."""
        self.positions = positions
        self._values = values
        self._all: dict[K, V] | None = None

    def flat(self) -> dict[K, V]:
        """All entries in one dict, which is shared."""
        if self._all is None:
            self._all = dict(zip(self.positions.by_key, self._values(), strict=True))
        return self._all

    def copy(self) -> dict[K, V]:
        """All entries in a new dict."""
        return self.flat().copy()

    def __getitem__(self, key: K) -> V:
        """The value of a key. Raises KeyError."""
        return self._values()[self.positions.by_key[key]]

    def __contains__(self, key: object) -> bool:
        """Whether there is a value for a key."""
        return key in self.positions.by_key

    def __len__(self) -> int:
        """How many entries there are."""
        return self.positions.count

    def __iter__(self) -> Iterator[K]:
        """Go through the keys."""
        return iter(self.positions.by_key)

    # A dict's own views, whose set operations are fast.
    def keys(self) -> KeysView[K]:
        """All keys."""
        return self.positions.by_key.keys()

    def items(self) -> ItemsView[K, V]:
        """All entries."""
        return self.flat().items()

    def values(self) -> ValuesView[V]:
        """All values."""
        return self.flat().values()

    def __eq__(self, other: object) -> bool:
        """Whether another mapping has the same entries. Does not keep the values that it creates."""
        if not isinstance(other, Mapping):
            return NotImplemented
        theirs = map(other.get, self.positions.by_key, repeat(_NOTHING))
        return other is self or (len(other) == len(self) and all(map(eq, theirs, self._values())))

    __hash__ = None  # type: ignore[assignment]


class LazySequence(Sequence[V]):
    """Values that are created on access; a position always returns the same object."""

    def __init__(self, count: int, make: Callable[[int], V]) -> None:
        """Nothing is made yet."""
        self._count = count
        self._make = make
        self._made: dict[int, V] = {}

    def __len__(self) -> int:
        """How many values there are."""
        return self._count

    @overload
    def __getitem__(self, position: int) -> V: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[V]: ...
    def __getitem__(self, position: int | slice) -> V | Sequence[V]:
        """The value at a position."""
        if isinstance(position, slice):
            return [self[at] for at in range(*position.indices(self._count))]
        if position not in self._made:
            if not 0 <= position < self._count:
                raise IndexError(position)
            self._made[position] = self._make(position)
        return self._made[position]
