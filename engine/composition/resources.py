"""What a home is given of its process: where its blocking work is done, and how it reaches Home Assistant."""

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
    """By default nothing follows."""


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults are those of a process that keeps one home."""

    claim: Claim | None = None  # on the home; None: the process keeps it by itself
    decode: Offload = to_thread  # of Home Assistant's answers
    category_scopes: frozenset[str] | None = None  # of stored categories; None: the source looks itself
    times: ProcessClock | None = None  # None: it is made where it is needed
    messages_per_second_max: float | None = None  # of Home Assistant
    source_files: Offload = to_thread  # of a home that is read from files
    files: Offload = to_thread  # of rows and history
    remote: Offload = to_thread  # of stores behind a network
    wrap: Callable[[Source], Source] = _as_it_is  # around the source
    # Within this time everything is read once more, to let go of what was decoded; where homes queue up for reads it is long.
    reread_seconds_max: float = 0.0
    on_kept: Callable[[], None] = (
        _nothing  # what a home begins with next time was written, and replaced what was read
    )
    is_calm: Callable[[], bool] = _always  # whether what may wait is done now
    token: Callable[[], str] | None = None  # read at each connect, instead of the one in the settings
    readers: "ThreadPoolExecutor | None" = None  # of the rows, for the API; None is a thread of its own
    up: str | None = None  # the relative address of the page of all homes, where there are many
    status_seconds: float = 1.0  # between looks at what time changes
