"""The homes of a fleet for the API of one process: its own, and the reported status of all others."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from api.app_context import AppContext
from api.ports import ReadTransaction
from api.sites.ports import Changes, Elsewhere, SiteView, Stage
from engine.core.state.intervals import AGELESS
from engine.replicas.kafka.sites.site_status import SiteStatus
from engine.sites.fleet import Fleet
from engine.sites.sharing.home_tokens import HomeTokens
from engine.sites.sharing.status_exchange import StatusExchange

T = TypeVar("T")


class SharedSites:
    """The `Sites` of a process in a fleet."""

    def __init__(self, fleet: Fleet, exchange: StatusExchange, tokens: HomeTokens) -> None:
        """`fleet` has the homes that it keeps, `tokens` the tokens of all homes."""
        self._tokens = tokens
        self._fleet = fleet
        self._exchange = exchange

    @property
    def is_closed(self) -> bool:
        """See `Sites`."""
        return self._fleet.is_closed

    def views(self) -> Sequence[SiteView]:
        """See `Sites`."""
        return sorted([*self._fleet.views(), *self.unconfigured()], key=lambda view: view.name)

    def unconfigured(self) -> Iterator[SiteView]:
        """The homes for which no process has settings."""
        return (_view(status) for status in self._exchange.unconfigured)

    def view(self, name: str) -> SiteView | None:
        """See `Sites`."""
        own = self._fleet.view(name)
        if own is not None:
            return own
        return next((_view(s) for s in self._exchange.unconfigured if s.site == name), None)

    def elsewhere(self, name: str) -> Elsewhere | None:
        """See `Sites`."""
        return self._exchange.elsewhere(name)

    @property
    def drained(self) -> str | None:
        """See `Sites`."""
        if self._exchange.worker.state != "drained":
            return None
        return "This process is drained: other processes keep its homes until `reconcile fleet resume` is run on its machine."

    def token(self, name: str) -> str | None:
        """See `Sites`. A request with it is redirected to the process that keeps the home."""
        return self._fleet.token(name) or self._tokens.get(name)

    async def open(self, name: str) -> AppContext | None:
        """See `Sites`."""
        return await self._fleet.open(name)

    async def read(self, name: str, job: Callable[[ReadTransaction], T], /) -> T | None:
        """See `Sites`. Raises ReplicaError."""
        return await self._fleet.read(name, job)

    def metrics(self, name: str, accept: str) -> tuple[bytes, str]:
        """See `Sites`."""
        return self._fleet.metrics(name, accept)

    def follow(self) -> AbstractContextManager[Changes]:
        """See `Sites`."""
        return self._fleet.follow()


def _view(status: SiteStatus) -> SiteView:
    """A home for which this process has no file."""
    return SiteView(status.site, status.label, status.tags, Stage.UNCONFIGURED, status.reason, None, AGELESS)
