"""What the API is given of many homes, as contracts."""

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
    """How far this process is with a home."""

    WAITING = "waiting"  # for its turn, for memory, or to be retried
    KEPT = "kept"
    PAUSED = "paused"
    INVALID = "invalid"  # its settings are broken
    FAILED = "failed"  # its code raised too often
    UNCONFIGURED = (
        "unconfigured"  # other processes know it, and this one, whose it is, has no settings file of it
    )


class SiteView(msgspec.Struct, frozen=True):
    """One home at one moment. `reason` says why it is not kept, or what is wrong although it is."""

    name: str
    label: str
    tags: tuple[str, ...]
    stage: Stage
    reason: str | None
    status: Status | None
    freshness: Freshness


class Elsewhere(msgspec.Struct, frozen=True):
    """Which other process keeps a home. `owner` and `url` are empty if they are not known."""

    owner: str
    url: str  # http(s), as that process published it
    is_current: bool  # whether it was said lately


class SiteChange(msgspec.Struct, frozen=True):
    """One record that was written, or found to differ, in one home."""

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
        """The next one; None when some were lost because the reader is slow."""


class Sites(Protocol):
    """The homes of this process."""

    def views(self) -> Sequence[SiteView]:
        """All of them, by name."""

    def view(self, name: str) -> SiteView | None:
        """One of them."""

    def elsewhere(self, name: str) -> Elsewhere | None:
        """Who keeps a home that this process does not; None if no other one may keep it."""

    def token(self, name: str) -> str | None:
        """The token that opens this home and no other."""

    @property
    def drained(self) -> str | None:
        """Why this process is to keep no homes, if so."""

    async def open(self, name: str) -> AppContext | None:
        """What the API answers of a home, which is now being read; None while it is not kept."""

    async def read(self, name: str, job: Callable[[ReadTransaction], T], /) -> T | None:
        """What a job makes of a home's rows, without the home being followed for it; None while it is not kept.

        Raises ReplicaError.
        """

    def metrics(self, name: str, accept: str) -> tuple[bytes, str]:
        """The series of one home, and their content type."""

    def follow(self) -> AbstractContextManager[Changes]:
        """Follow the changes of all homes."""

    @property
    def is_closed(self) -> bool:
        """Whether the service ends."""
