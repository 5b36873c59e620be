"""The interfaces for many homes that are provided to the API."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from api.app_context import AppContext
from api.ports import ReadTransaction
from engine.core.state.intervals import Freshness
from engine.core.state.status import Status

T = TypeVar("T")


class Stage(StrEnum):
    """This process's progress with a home."""

    WAITING = "waiting"  # for its turn, for memory, or to be retried
    KEPT = "kept"
    PAUSED = "paused"
    INVALID = "invalid"  # its settings are broken
    FAILED = "failed"  # it raised unexpected errors too often
    UNCONFIGURED = (
        "unconfigured"  # other processes know it, but this one, its owner, has no settings file for it
    )


class SiteView(msgspec.Struct, frozen=True):
    """One home at one moment. `reason` explains why it is not kept, or what is wrong although it is."""

    name: str
    label: str
    tags: tuple[str, ...]
    stage: Stage
    reason: str | None
    status: Status | None
    freshness: Freshness


class Elsewhere(msgspec.Struct, frozen=True):
    """The other process that keeps a home. `owner` and `url` are empty if unknown."""

    owner: str
    url: str  # http(s), as published by that process
    is_current: bool  # whether the report is recent


class SiteChange(msgspec.Struct, frozen=True):
    """A record that was written, or found to differ, in a home."""

    site: str
    replica: str
    registry: str
    id: str
    name: str | None
    cause: str
    outcome: str
    run_id: str


class Changes(Protocol):
    """The changes of all homes from now on, for one reader."""

    async def next(self) -> SiteChange | None:
        """The next change; None when some were lost because the reader is slow."""


class Sites(Protocol):
    """The homes of this process."""

    def views(self) -> Sequence[SiteView]:
        """All homes, by name."""

    def view(self, name: str) -> SiteView | None:
        """The home of this name."""

    def elsewhere(self, name: str) -> Elsewhere | None:
        """The process that keeps a home instead of this one; None if no other may."""

    def token(self, name: str) -> str | None:
        """The token for this home alone."""

    @property
    def drained(self) -> str | None:
        """Why this process must keep no homes, if it is drained."""

    async def open(self, name: str) -> AppContext | None:
        """The API's context of a home, which is now in use; None while it is not kept."""

    async def read(self, name: str, job: Callable[[ReadTransaction], T], /) -> T | None:
        """A job's result from a home's rows, without starting to follow the home; None while it is not kept.

        Raises ReplicaError.
        """

    def metrics(self, name: str, accept: str) -> tuple[bytes, str]:
        """The series of one home, and their content type."""

    def follow(self) -> AbstractContextManager[Changes]:
        """Follow the changes of all homes."""

    @property
    def is_closed(self) -> bool:
        """Whether the service ends."""
