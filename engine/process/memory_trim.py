"""Returns freed memory to the system, which glibc mostly keeps by default.

A read of a big home takes tens of megabytes that are freed a second later. After the first such block glibc
keeps the next ones, and gives each thread its own heap. With 20,000 entities the service held 126 MiB at
rest, and 111 MiB with these settings (bench, 2026-11-23). Even then glibc returns only memory at the end of its heap:
`give_back_memory` makes it return free pages between used ones too. Each SQLite connection caches up to
`rows.cache_kib` of a file that the system caches as well: 4 MiB with 1,300 entities (2026-11-29). Other C libraries have
neither these settings nor the problem.
"""

from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from typing import Any

import anyio

# From malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_BYTES = 128 * 1024  # glibc's own initial value of both thresholds; setting it stops their adaptation


# The waits before memory is returned: short after the start, when a whole home has been read and written, then long.
_FIRST_SECONDS, _LATER_SECONDS = (3.0, 3.0, 3.0, 6.0, 15.0, 30.0), 60.0


def trim_memory() -> None:
    """Configure glibc's allocator for a process that runs for years; does nothing without glibc."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    for parameter, value in ((_M_TRIM_THRESHOLD, _BYTES), (_M_MMAP_THRESHOLD, _BYTES), (_M_ARENA_MAX, 1)):
        mallopt(parameter, value)


def give_back_memory() -> None:
    """Return free pages to the system (1 to 3 ms); does nothing without glibc."""
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


async def _nothing() -> None:
    """The default: release nothing else."""


async def keep_giving_back_memory(let_go: Callable[[], Awaitable[None]] = _nothing) -> None:
    """Return free pages occasionally, until cancelled. `let_go` first frees what can be restored."""
    for seconds in chain(_FIRST_SECONDS, repeat(_LATER_SECONDS)):
        await anyio.sleep(seconds)
        await let_go()
        give_back_memory()


def _of_glibc(function: str) -> Any:
    try:
        # Imported here, because it may fail if memory cannot be made executable (systemd: MemoryDenyWriteExecute).
        import ctypes

        return getattr(ctypes.CDLL(None), function)
    except (ImportError, OSError, AttributeError, MemoryError):
        return None
