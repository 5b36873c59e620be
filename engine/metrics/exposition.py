"""Writes the instruments as Prometheus' text: the only module of a home's metrics that loads Prometheus' client, at the first scrape."""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from engine.metrics.instruments import Counter, Gauge, Histogram, Info, Instrument

Collect = Callable[[], Iterable[Metric]]


class Exposition:
    """Writes the instruments, and after them the series that `others` collect."""

    def __init__(self, instruments: Iterable[Instrument], others: Iterable[Collect]) -> None:
        # Otherwise every counter and histogram would have a second series with its creation time.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._of_process = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._of_process)
        self._instruments = tuple(instruments)
        self._others = tuple(others)

    def collect(self) -> Iterator[Metric]:
        """All families, in the order of their declaration."""
        yield from self._of_process.collect()
        for instrument in self._instruments:
            yield family_of(instrument)
        for collect in self._others:
            yield from collect()


class _Collected(CollectorRegistry):
    """The input for encoding: an exposition, and series that were collected before."""

    def __init__(self, exposition: Exposition, metrics: Iterable[Metric]) -> None:
        super().__init__()
        self._exposition = exposition
        self._found = tuple(metrics)

    def collect(self) -> Iterator[Metric]:
        """All series."""
        yield from self._exposition.collect()
        yield from self._found


def encoded(exposition: Exposition, metrics: Iterable[Metric], accept: str) -> tuple[bytes, str]:
    """Encode the exposition and these families in the format of the Accept header; returns it with its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(_Collected(exposition, metrics)), content_type


def family_of(instrument: Instrument) -> Metric:
    """An instrument's current series."""
    name, text = instrument.name, instrument.text
    match instrument:
        case Counter():
            counter = CounterMetricFamily(name, text, labels=instrument.label_names)
            for labels, number in instrument.series():
                counter.add_metric(labels, number.value)
            return counter
        case Histogram():
            histogram = HistogramMetricFamily(name, text, labels=instrument.label_names)
            for labels, found in instrument.series():
                names = [*map(floatToGoString, found.bounds), "+Inf"]
                histogram.add_metric(
                    labels, list(zip(names, accumulate(found.counts), strict=True)), found.sum
                )
            return histogram
        case Gauge():
            return GaugeMetricFamily(name, text, value=instrument.read())
        case Info():
            return InfoMetricFamily(name, text, value=instrument.values)
        case _:
            raise AssertionError(f"{name} is of no kind")
