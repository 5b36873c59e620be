"""The engine's counters, without the library that writes them.

Prometheus' client takes 2 MiB and 30 ms, and many services are never scraped. So instruments only hold numbers, and
`exposition` loads the client at the first scrape. Labels are texts, in the order of their declaration.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

Labels = tuple[str, ...]


class Number:
    """One number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, count: int = 1) -> None:
        """Add to the number."""
        self.value += count


class Distribution:
    """The number of values up to each bound; the last count is of those above all bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.sum += value
        self.counts[bisect_left(self.bounds, value)] += 1


class Instrument(Protocol):
    """An entry in a list of instruments."""

    @property
    def name(self) -> str:
        """The name of its series."""

    @property
    def text(self) -> str:
        """The description of its series."""


S = TypeVar("S")


class _Labelled(Generic[S]):
    """An instrument with one series for each combination of labels."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        *,
        make: Callable[[], S],
        registry: list[Instrument],
    ) -> None:
        self.name, self.text, self.label_names = name, text, labels
        self._make = make
        self._series: dict[Labels, S] = {}
        if not labels:
            self.labels()  # the series exists from the start
        registry.append(self)

    def labels(self, *values: str) -> S:
        """The series with these labels, created if missing."""
        found = self._series.get(values)
        if found is None:
            found = self._series[tuple(map(str, values))] = self._make()
        return found

    def series(self) -> list[tuple[Labels, S]]:
        """A copy of all series; any thread may call it."""
        return list(self._series.items())


class Counter(_Labelled[Number]):
    """Counts events."""

    def __init__(self, name: str, text: str, labels: Labels = (), *, registry: list[Instrument]) -> None:
        super().__init__(name, text, labels, make=Number, registry=registry)

    def inc(self) -> None:
        """Count one event, for a counter without labels."""
        self.labels().inc()


class Histogram(_Labelled[Distribution]):
    """Counts values by size."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        *,
        buckets: Sequence[float],
        registry: list[Instrument],
    ) -> None:
        super().__init__(name, text, labels, make=lambda: Distribution(buckets), registry=registry)


class Gauge:
    """A current value: the one last set, or the one that a function returns at each scrape."""

    def __init__(self, name: str, text: str, *, registry: list[Instrument]) -> None:
        self.name, self.text = name, text
        self.read: Callable[[], float] = lambda: 0.0
        registry.append(self)

    def set(self, value: float) -> None:
        """Replace the value."""
        self.read = lambda: value

    def set_function(self, read: Callable[[], float]) -> None:
        """Call this at each scrape from now on."""
        self.read = read


class Info:
    """Texts that never change."""

    def __init__(self, name: str, text: str, values: dict[str, str], *, registry: list[Instrument]) -> None:
        self.name, self.text, self.values = name, text, values
        registry.append(self)
