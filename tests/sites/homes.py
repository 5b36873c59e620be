"""What the API and the metrics are given of many homes, made up."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from api.app_context import AppContext
from api.ports import ReadTransaction
from api.sites.ports import Elsewhere, SiteView, Stage
from engine.core.state.intervals import AGELESS
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import SyncStatus
from engine.sites.followed import FollowedChanges
from tests.homes import NOON

T = TypeVar("T")


def status_with(word: str, site: str = "home") -> Status:
    replicas = (ReplicaStatus("sqlite", SyncStatus(word), synced_at=NOON, compared_at=NOON, pending=0),)
    return Status(site, "1", NOON, SourceStatus(f"ws://{site}:8123", True, "2026.11.0", "RUNNING"), replicas)


def kept(name: str, word: str = "in_sync", *tags: str, label: str = "") -> SiteView:
    return SiteView(name, label, tags, Stage.KEPT, None, status_with(word, name), AGELESS)


def away(name: str, stage: Stage, reason: str) -> SiteView:
    return SiteView(name, "", (), stage, reason, None, AGELESS)


class MemorySites:
    """Homes in memory; `givens` are those that can be opened."""

    def __init__(self, *views: SiteView, tokens: dict[str, str] | None = None) -> None:
        self._views = {view.name: view for view in views}
        self.givens: dict[str, AppContext] = {}
        self.tokens = tokens or {}
        self.why_drained: str | None = None
        self.others: dict[str, Elsewhere] = {}
        self.changes = FollowedChanges()
        self.is_closed = False

    def views(self) -> Sequence[SiteView]:
        return [self._views[name] for name in sorted(self._views)]

    def view(self, name: str) -> SiteView | None:
        return self._views.get(name)

    def elsewhere(self, name: str) -> Elsewhere | None:
        return self.others.get(name)

    @property
    def drained(self) -> str | None:
        return self.why_drained

    def token(self, name: str) -> str | None:
        return self.tokens.get(name)

    async def open(self, name: str) -> AppContext | None:
        return self.givens.get(name)

    async def read(self, name: str, job: Callable[[ReadTransaction], T], /) -> T | None:
        context = self.givens.get(name)
        return await context.rows_reader.read(job) if context else None

    def metrics(self, name: str, accept: str) -> tuple[bytes, str]:
        return name.encode(), "text/plain"

    @contextmanager
    def follow(self) -> Iterator[FollowedChanges]:
        yield self.changes
