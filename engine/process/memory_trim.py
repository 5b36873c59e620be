"""Freed memory given back to the machine, which glibc mostly keeps by default.

A read of a big home is tens of megabytes that are gone a second later. glibc learns from the first such piece to
keep the next ones, and gives each thread a heap of its own. With 20,000 entities the service held 126 MiB at
rest, and 111 MiB with these settings (bench, 2026-11-23). Even so it returns only what lies at the end of its heap:
`give_back_memory` has it look for free pages between what is used, too. Each connection to SQLite remembers up to
`rows.cache_kib` of a file that the system has in memory as well: 4 MiB with 1,300 entities (2026-11-29). Other C libraries have none of this, nor the problem.
"""

from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from typing import Any

import anyio

# Of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_BYTES = 128 * 1024  # glibc's own initial value of both thresholds; setting it stops the learning


# Between two times at which memory is given back: soon after the start, when a whole home has been read and written, then seldom.
_FIRST_SECONDS, _LATER_SECONDS = (3.0, 3.0, 3.0, 6.0, 15.0, 30.0), 60.0


def trim_memory() -> None:
    """Set glibc's allocator for a process that runs for years; does nothing where there is none."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    for parameter, value in ((_M_TRIM_THRESHOLD, _BYTES), (_M_MMAP_THRESHOLD, _BYTES), (_M_ARENA_MAX, 1)):
        mallopt(parameter, value)


def give_back_memory() -> None:
    """Give free pages back to the machine (1 to 3 ms); does nothing where glibc is not."""
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


async def _nothing() -> None:
    """By default nothing else is released."""


async def keep_giving_back_memory(let_go: Callable[[], Awaitable[None]] = _nothing) -> None:
    """Give free pages back now and then, until cancelled. `let_go` frees before what can be restored."""
    for seconds in chain(_FIRST_SECONDS, repeat(_LATER_SECONDS)):
        await anyio.sleep(seconds)
        await let_go()
        give_back_memory()


def _of_glibc(function: str) -> Any:
    try:
        # Here, because it may fail where no memory can be made executable (systemd: MemoryDenyWriteExecute).
        import ctypes

        return getattr(ctypes.CDLL(None), function)
    except (ImportError, OSError, AttributeError, MemoryError):
        return None
