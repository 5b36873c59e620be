"""What a process provides to a home: threads for blocking work, and the way to reach Home Assistant."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from engine.claims import Claim
from engine.ports import Source
from engine.process.clock import ProcessClock
from engine.process.offload import Offload, to_thread

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


def _as_it_is(source: Source) -> Source:
    return source


def _always() -> bool:
    return True


def _nothing() -> None:
    """The default: do nothing."""


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What a process provides to a home; the defaults are for a process that keeps one home."""

    claim: Claim | None = None  # on the home; None: no other process can own it
    decode: Offload = to_thread  # decodes Home Assistant's answers
    category_scopes: frozenset[str] | None = None  # of stored categories; None: the source reads them itself
    times: ProcessClock | None = None  # None: created where needed
    messages_per_second_max: float | None = None  # from Home Assistant
    source_files: Offload = to_thread  # reads a home's files
    files: Offload = to_thread  # reads and writes rows and history
    remote: Offload = to_thread  # reads and writes stores behind a network
    wrap: Callable[[Source], Source] = _as_it_is  # around the source
    # Within this time everything is read once more, to free decoded answers; long where homes queue for reads.
    reread_seconds_max: float = 0.0
    on_kept: Callable[[], None] = (
        _nothing  # called when a home's cache was written, and replaced the one that was read
    )
    is_calm: Callable[[], bool] = _always  # whether deferrable work may run now
    token: Callable[[], str] | None = None  # read at each connect, instead of the one in the settings
    readers: "ThreadPoolExecutor | None" = None  # read rows for the API; None: a separate thread
    up: str | None = None  # the relative address of the page of all homes, where there are many
    status_seconds: float = 1.0  # between checks for changes that only time causes
