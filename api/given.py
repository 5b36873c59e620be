"""Everything the API is built with, in one value."""

from dataclasses import dataclass, field

import anyio

from api.activity import Trail
from api.changes.feed import ChangeFeed
from api.http.admission import Admission
from api.http.cache import AnswerCache
from api.ports import Clock, Inventory, MetricsSource, Observer, StatusSource, Timeline
from engine.core.state.pace import Freshness


def _ignore(_route: str, _method: str, _status: int, _seconds: float) -> None:
    """Without an observer, requests are not counted."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the host hands over. `freshness`: how old knowledge may be.

    Make it inside the event loop. `trail` is the last day,
    for the page. Without `timeline` there is no past, without `metrics` no /metrics.
    """

    status: StatusSource
    clock: Clock
    inventory: Inventory
    feed: ChangeFeed
    freshness: Freshness
    timeline: Timeline | None = None
    metrics: MetricsSource | None = None
    observe: Observer = _ignore
    admission: Admission = field(default_factory=Admission)
    cors_origins: tuple[str, ...] = ()
    trail: Trail = field(default_factory=Trail)
    cache: AnswerCache = field(default_factory=AnswerCache)
    # The records replica serves one thread at a time.
    timeline_limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
