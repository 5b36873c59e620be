"""The values that the API is built with: for the application, and for each home that it serves.

The application is built without any home. A route finds the home of each request, so that homes can be added and
removed while it serves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from starlette.requests import Request

from api.activity import Activity
from api.changes.feed import ChangeFeed
from api.http.auth import AccessRules
from api.http.cache import AnswerCache
from api.past_homes import PastHomes
from api.ports import Clock, MakeRows, MetricsSource, Observer, RowsReader, StatusSource, Timeline
from api.verdict_cache import VerdictCache
from engine.core.state.intervals import Freshness
from engine.core.state.record_verdict import Verdicts


def _ignore(_route: str, _method: str, _status: int, _seconds: float) -> None:
    """Without an observer, requests are not counted."""


@dataclass(frozen=True, kw_only=True)
class AppOptions:
    """The options of the application. Without `metrics` there is no /metrics."""

    metrics: MetricsSource | None = None
    observe: Observer = _ignore
    access: AccessRules = field(default_factory=AccessRules)
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class AppContext:
    """One home, as provided by the host. `freshness`: the maximum age of a comparison.

    Create it inside the event loop. `activity` is the last day's, for the page. Without `timeline` there is no past;
    `make_rows` turns the timeline's records into rows.
    """

    status: StatusSource
    clock: Clock
    rows_reader: RowsReader
    feed: ChangeFeed
    freshness: Freshness
    timeline: Timeline | None = None
    past_replica: str | None = None  # the replica that the past is read from; None: any
    make_rows: MakeRows | None = None
    home_assistant_url: str = ""  # Home Assistant's address for users; empty: unknown
    up: str | None = None  # the relative address of the page of all homes, where there are many
    activity: Activity = field(default_factory=Activity)
    cache: AnswerCache = field(default_factory=AnswerCache)
    verdict_cache: VerdictCache = field(default_factory=VerdictCache)
    past_homes: PastHomes = field(default_factory=PastHomes)
    # The records replica serves one thread at a time.
    timeline_limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))

    def verdicts(self) -> Verdicts:
        """The current verdicts on all records."""
        return self.verdict_cache.verdicts(self.status(), self.clock(), self.freshness)


# The home of a request. Raises Problem when there is none.
FindHome = Callable[[Request], AppContext]


def only(context: AppContext) -> FindHome:
    """A function that returns this home for every request."""
    return lambda _request: context
