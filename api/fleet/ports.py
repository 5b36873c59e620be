"""The interfaces provided to the API of a fleet view."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import msgspec

from api.fleet.bodies import FleetDevice, FleetModel, ViewedSite
from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from api.sites.ports import SiteChange

T = TypeVar("T")


class Standing(msgspec.Struct, frozen=True):
    """How far a view has read.

    `as_of`: the view has everything that was in Kafka then (Unix seconds); None until it has once read everything. `replayed`:
    whether the view has read everything that existed when it started. `behind`: the known number of unread messages.
    """

    as_of: float | None = None
    replayed: bool = False
    behind: int | None = None
    problem: str | None = None
    revision: int = 0


class ViewTransaction(Protocol):
    """The view's file at one moment. Valid only inside a job, in the job's thread."""

    def devices(self, query: ViewedDevicesQuery, /) -> tuple[list[FleetDevice], str | None]:
        """A page, and the position after which the next one begins."""

    def models(self, query: ViewedModelsQuery, /) -> tuple[list[FleetModel], int]:
        """The most frequent models, and the number of all."""

    def sites(
        self, query: ViewedSitesQuery, now: float, /, *, worst_first: bool = False, offset: int = 0
    ) -> list[ViewedSite]:
        """A page of homes and one more, by name or the worst first, with their statuses at `now` (Unix seconds)."""

    def named_sites(self, names: Collection[str], now: float, /) -> list[ViewedSite]:
        """The homes with these names."""

    def counts(self, query: ViewedSitesQuery, now: float, /) -> dict[str, int]:
        """The number of matching homes by status; the query's own status filter is ignored."""

    def tags(self) -> list[str]:
        """All tags of homes."""

    def oddities(self) -> Mapping[str, int]:
        """The number of messages that are not in the view, by reason: foreign, newer or unreadable."""


class ViewedChange(msgspec.Struct, frozen=True):
    """A change, and the id for resuming after it."""

    id: str
    change: SiteChange


class ViewedChanges(Protocol):
    """The changes of all homes from a position on, for one reader."""

    @property
    def has_place(self) -> bool:
        """Whether it continues at the reader's position, if the reader had one."""

    async def next(self) -> list[ViewedChange] | None:
        """The next changes, after a short wait; None if some are no longer available. Raises ReplicaError, and
        StopAsyncIteration when the service ends.
        """


class FleetView(Protocol):
    """The view's data about a fleet."""

    def standing(self) -> Standing:
        """How far the view has read now."""

    async def read(self, job: Callable[[ViewTransaction], T], /) -> T:
        """A job's result from the file. Raises ReplicaError."""

    def follow_changes(self, last_id: str, /) -> AbstractAsyncContextManager[ViewedChanges]:
        """Follow the changes of all homes, after the one with this id, or from now on. Raises ReplicaError."""
