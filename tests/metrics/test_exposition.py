"""What is counted comes out as Prometheus' own client would write it."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client import Counter as TheirCounter
from prometheus_client import Gauge as TheirGauge
from prometheus_client import Histogram as TheirHistogram
from prometheus_client import Info as TheirInfo

from engine.metrics.exposition import family_of
from engine.metrics.instruments import Counter, Gauge, Histogram, Info, Instrument

BUCKETS = (0.1, 1, 2.5)
LABELS = st.sampled_from(["a", "b", 'quoted "text"', "new\nline"])
VALUES = st.sampled_from([0.0, 0.05, 0.1, 1.0, 1.1, 2.5, 3.0, 1e9])


class OfInstruments(CollectorRegistry):
    """Instruments as a registry of the client."""

    def __init__(self, instruments: list[Instrument]) -> None:
        super().__init__()
        self._instruments = instruments

    def collect(self):  # type: ignore[no-untyped-def]
        """All families."""
        return (family_of(instrument) for instrument in self._instruments)


@given(st.lists(st.tuples(LABELS, VALUES), max_size=8))
def test_the_text_equals_the_clients(happened: list[tuple[str, float]]) -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    ours, theirs = list[Instrument](), CollectorRegistry()
    Info("build", "Version.", {"version": "1"}, registry=ours)
    TheirInfo("build", "Version.", registry=theirs).info({"version": "1"})
    counters = (
        Counter("runs", "Runs.", ("who",), registry=ours),
        TheirCounter("runs", "Runs.", ("who",), registry=theirs),
    )
    plain = Counter("all", "All.", registry=ours), TheirCounter("all", "All.", registry=theirs)
    spread = (
        Histogram("lag", "Lag.", ("who",), buckets=BUCKETS, registry=ours),
        TheirHistogram("lag", "Lag.", ("who",), buckets=BUCKETS, registry=theirs),
    )
    gauges = Gauge("now", "Now.", registry=ours), TheirGauge("now", "Now.", registry=theirs)
    set_once = Gauge("set", "Set.", registry=ours), TheirGauge("set", "Set.", registry=theirs)
    for who, value in happened:
        for counter in counters:
            counter.labels(who).inc()
        for counter in plain:
            counter.inc()
        for histogram in spread:
            histogram.labels(who).observe(value)
        for gauge in set_once:
            gauge.set(value)
    for gauge in gauges:
        gauge.set_function(lambda: 7)
    assert generate_latest(OfInstruments(ours)) == generate_latest(theirs)
