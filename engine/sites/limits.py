"""What this process may use of the machine: memory, open files, and time to look for reference cycles."""

import gc
import resource
from contextlib import suppress
from pathlib import Path

# Within it a home that was filled reads everything once more: long enough that homes which started together do not queue up for it.
REREAD_SECONDS_MAX = 900.0


def resident_bytes() -> int:
    """Resident memory of the process, bytes; 0 where the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


def share_of_group() -> int:
    """80 % of the memory that the control group may have; 0 without a limit."""
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int(Path(file).read_text(encoding="ascii"))
            return limit * 4 // 5 if limit < 1 << 60 else 0
    return 0


def raise_descriptors() -> None:
    """Let the process have as many files open as it may: each home has seven."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft not in (resource.RLIM_INFINITY, hard):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def look_for_cycles_in_short_steps() -> None:
    """Make each search for reference cycles so short that the event loop hardly notices.

    With 100 homes of 1,300 entities one search took 732 ms on a loaded machine (2026-11-29); all homes stood still.
    """
    gc.set_threshold(10_000, 50, 100)


def keep_from_cycle_search() -> None:
    """Leave out what there is now from all searches. It is freed by reference counts as ever.

    For the homes' own records, which live as long as the process and are in no cycle.
    """
    gc.freeze()
