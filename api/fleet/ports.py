"""What the API of a fleet view is given, as contracts."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import msgspec

from api.fleet.bodies import FleetDevice, FleetModel, ViewedSite
from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from api.sites.ports import SiteChange

T = TypeVar("T")


class Standing(msgspec.Struct, frozen=True):
    """How far a view is.

    `as_of`: what was in Kafka then (Unix seconds) is in the view; None while it never had all. `replayed`: since it began, the view has
    read all that there was then. `behind`: messages that it has yet to read, as far as is known.
    """

    as_of: float | None = None
    replayed: bool = False
    behind: int | None = None
    problem: str | None = None
    revision: int = 0


class ViewTransaction(Protocol):
    """The view's file at one moment. Valid only inside a job, in the job's thread."""

    def devices(self, query: ViewedDevicesQuery, /) -> tuple[list[FleetDevice], str | None]:
        """A page, and what the next one begins after."""

    def models(self, query: ViewedModelsQuery, /) -> tuple[list[FleetModel], int]:
        """The most frequent ones, and how many there are."""

    def sites(
        self, query: ViewedSitesQuery, now: float, /, *, worst_first: bool = False, offset: int = 0
    ) -> list[ViewedSite]:
        """A page of homes and one more, by name or the worst first; statuses are of `now` (Unix seconds)."""

    def named_sites(self, names: Collection[str], now: float, /) -> list[ViewedSite]:
        """The homes with these names."""

    def counts(self, query: ViewedSitesQuery, now: float, /) -> dict[str, int]:
        """How many homes match, by their status; the status that is asked for does not matter."""

    def tags(self) -> list[str]:
        """All tags of homes."""

    def oddities(self) -> Mapping[str, int]:
        """How many messages are not in the view, by why: foreign, newer or unreadable."""


class ViewedChange(msgspec.Struct, frozen=True):
    """A change, and the id with which a reader resumes after it."""

    id: str
    change: SiteChange


class ViewedChanges(Protocol):
    """The changes of all homes from a place on, for one reader."""

    @property
    def has_place(self) -> bool:
        """Whether it continues at the reader's position, if the reader had one."""

    async def next(self) -> list[ViewedChange] | None:
        """What came in a moment; None if some of it is not there any more. Raises ReplicaError, and
        StopAsyncIteration when the service ends.
        """


class FleetView(Protocol):
    """What is known of a fleet."""

    def standing(self) -> Standing:
        """How far the view is now."""

    async def read(self, job: Callable[[ViewTransaction], T], /) -> T:
        """What a job makes of the file. Raises ReplicaError."""

    def follow_changes(self, last_id: str, /) -> AbstractAsyncContextManager[ViewedChanges]:
        """Follow the changes of all homes, behind the one with this id, or from now on. Raises ReplicaError."""
