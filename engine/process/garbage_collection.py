"""Python's search for reference cycles, kept from looking through a whole home over and over.

A pass makes tens of thousands of records that live until it ends and hardly any cycle; the search would go
through all of them many times. Cold, with 20,000 entities, a pass took 1,144 ms with it and 601 ms without
(bench, 2026-11-23). Memory is freed by reference counts as ever.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Allocations between two looks at the youngest objects, and such looks before older ones are looked at.
_SERVICE_THRESHOLDS = (50_000, 20, 50)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """No search while the block runs: for a command that ends soon."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def ends_soon() -> bool:
    """Whether this process is a command, which looks for no cycles and need not be sparing with memory."""
    return not gc.isenabled()


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Seldom a search while the block runs: for a service, which must not grow for years."""
    before, was_enabled = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(*_SERVICE_THRESHOLDS)
    gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not was_enabled:
            gc.disable()
