"""The series of many homes: a few gauges for each, and counters over all of them.

Each home alone would have 286 series, so only seven carry a label for the home.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import anyio
import anyio.lowlevel
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.sites.ports import SiteView, Stage
from api.sites.words import site_word
from engine.core.state.report import open_keys
from engine.core.state.status import replica_status

_MANY = 2_000
_HOMES_AT_ONCE = 20
_LAG_LOOK_SECONDS = 0.1
_GAUGES = {
    "connected": "1 while the home's Home Assistant is followed.",
    "in_sync": "1 while all stores of the home are in sync.",
    "blocked": "1 while a guard holds back changes of the home.",
    "synced_timestamp_seconds": "Unix time up to which all stores of the home hold every change.",
    "pending_changes": "Changes of the home that are found but not yet written.",
    "drift_records": "Records on which stores of the home still differ.",
    "records": "Records of the home.",
}


class _SeenSite(NamedTuple):
    """A home at one moment: its status as a word, and its series."""

    name: str
    stage: Stage
    word: str
    values: dict[str, float]


class SiteMetrics(Collector):
    """Collects from the homes as they are at each scrape."""

    def __init__(
        self,
        views: Callable[[], Iterable[SiteView]],
        clock: Callable[[], float],
        chosen: Literal["auto", "all", "unhealthy", "none"],
        loop_lag: "LoopLag",
    ) -> None:
        """`chosen` returns the homes with series of their own."""
        self._views = views
        self._clock = clock
        self._chosen = chosen
        self._loop_lag = loop_lag
        self._found: list[_SeenSite] | None = None  # for the next collection

    async def look(self) -> None:
        """Read all homes for the next collection, a few at a time: 500 at once would delay the event loop."""
        found, now = list[_SeenSite](), self._clock()
        for number, view in enumerate(self._views(), 1):
            found.append(_look(view, now))
            if number % _HOMES_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        self._found = found

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are known with the first collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series."""
        now, found = self._clock(), self._found
        looks = [_look(view, now) for view in self._views()] if found is None else found
        self._found = None
        stages = GaugeMetricFamily(
            "reconcile_sites", "Homes, by their stage in this process.", labels=("stage",)
        )
        words = GaugeMetricFamily(
            "reconcile_sites_status", "Homes that are not paused, by their status.", labels=("status",)
        )
        known = [look for look in looks if look.stage != Stage.PAUSED]
        by_stage, by_word = Counter(look.stage for look in looks), Counter(look.word for look in known)
        for stage in Stage:
            stages.add_metric((stage,), by_stage[stage])
        for word in ("in_sync", "out_of_sync", "blocked", "unknown"):
            words.add_metric((word,), by_word[word])
        yield from (stages, words)
        yield GaugeMetricFamily(
            "reconcile_event_loop_lag_seconds",
            "Longest delay of the event loop since the last scrape.",
            value=self._loop_lag.take(),
        )
        families = {
            name: GaugeMetricFamily(f"reconcile_site_{name}", text, labels=("site",))
            for name, text in _GAUGES.items()
        }
        for look in self._shown(known):
            for name, value in look.values.items():
                families[name].add_metric((look.name,), value)
        yield from families.values()

    def _shown(self, looks: Sequence[_SeenSite]) -> Sequence[_SeenSite]:
        if self._chosen == "none":
            return ()
        is_all = self._chosen == "all" or (self._chosen == "auto" and len(looks) <= _MANY)
        return looks if is_all else [look for look in looks if look.word != "in_sync"]


class LoopLag:
    """Measures the delay of the event loop."""

    def __init__(self) -> None:
        """Starts without measurements."""
        self._longest = 0.0

    async def run(self) -> None:
        """Measure ten times a second, until cancelled."""
        while True:
            due = anyio.current_time() + _LAG_LOOK_SECONDS
            await anyio.sleep(_LAG_LOOK_SECONDS)
            self._longest = max(self._longest, anyio.current_time() - due)

    def take(self) -> float:
        """The longest delay since the last call, seconds."""
        longest, self._longest = self._longest, 0.0
        return longest


def render_site(view: SiteView, now: float, accept: str) -> tuple[bytes, str]:
    """The series of one home at `now` (Unix seconds) in the format of the Accept header, and its content type."""
    registry = CollectorRegistry()
    registry.register(_OneSite(view, now))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _OneSite(Collector):
    def __init__(self, view: SiteView, now: float) -> None:
        self._view = view
        self._now = now

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        values = _values(self._view, site_word(self._view, self._now), self._now)
        for name, text in _GAUGES.items():
            family = GaugeMetricFamily(f"reconcile_site_{name}", text, labels=("site",))
            if name in values:
                family.add_metric((self._view.name,), values[name])
            yield family


def _look(view: SiteView, now: float) -> _SeenSite:
    word = site_word(view, now)
    return _SeenSite(view.name, view.stage, word, _values(view, word, now))


def _values(view: SiteView, word: str, now: float) -> dict[str, float]:
    status = view.status
    values = {
        "connected": float(status is not None and status.source.connected),
        "in_sync": float(word == "in_sync"),
        "blocked": float(word == "blocked"),
    }
    if status is None:
        return values
    synced = [replica.synced_at for replica in status.replicas]
    if synced and None not in synced:
        values["synced_timestamp_seconds"] = min(at for at in synced if at is not None)
    values["pending_changes"] = sum(replica.pending for replica in status.replicas)
    looked = [r for r in status.replicas if replica_status(r, now, view.freshness)[0] != "unknown"]
    if status.report is not None and len(looked) == len(status.replicas):
        values["drift_records"] = len(open_keys(status.report))
        values["records"] = status.report.source.records
    return values
