"""The process's share of the machine: memory, open files, and time for garbage collection."""

import gc
import resource
from contextlib import suppress
from pathlib import Path

# After its first fill a home reads everything again within this time, long enough that homes which started together do not queue.
REREAD_SECONDS_MAX = 900.0


def resident_bytes() -> int:
    """Resident memory of the process, bytes; 0 if the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


def share_of_group() -> int:
    """80 % of the control group's memory limit, bytes; 0 without a limit."""
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int(Path(file).read_text(encoding="ascii"))
            return limit * 4 // 5 if limit < 1 << 60 else 0
    return 0


def raise_descriptors() -> None:
    """Raise the limit of open files as far as allowed: each home has seven."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft not in (resource.RLIM_INFINITY, hard):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def look_for_cycles_in_short_steps() -> None:
    """Keep each garbage collection so short that it hardly delays the event loop.

    With 100 homes of 1,300 entities one collection took 732 ms on a loaded machine (2026-11-29) and stopped all homes.
    """
    gc.set_threshold(10_000, 50, 100)


def keep_from_cycle_search() -> None:
    """Exclude all current objects from garbage collection. Reference counting still frees them.

    This is for the homes' records, which live as long as the process and are in no cycle.
    """
    gc.freeze()
