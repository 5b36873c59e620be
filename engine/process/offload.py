"""Where blocking work is done: in a worker thread, and in tests of virtual time right here.

A process that keeps many homes has threads of its own (`engine/sites/threads.py`). A command that waits for nothing but files and stores needs neither threads nor
an event loop (`run_alone`), and loads neither: that would take longer than its whole pass.
"""

import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")

# What is called between two pieces of work where there is no event loop; None if there is one.
_BETWEEN: ContextVar[Callable[[], object] | None] = ContextVar("between", default=None)

# The complete advice for a shortage of memory.
MORE_MEMORY = "Give this process or machine more memory; it is tried again."

_NAP_SECONDS = 0.05


class Offload(Protocol):
    """Does blocking work without blocking the event loop."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """The result of `work()`, or what it raised."""


async def to_thread(work: Callable[[], T]) -> T:
    """Do the work in a thread of anyio's pool, or where there is no event loop right here.

    It runs to its end even if the waiting is cancelled.
    """
    between = _BETWEEN.get()
    if between is not None:
        between()
        return work()
    import anyio.to_thread

    return await anyio.to_thread.run_sync(work)


async def sleep(seconds: float) -> None:
    """Wait, with an event loop or without."""
    between = _BETWEEN.get()
    if between is None:
        import anyio

        await anyio.sleep(seconds)
        return
    until = time.monotonic() + seconds
    between()
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _NAP_SECONDS))  # noqa: ASYNC251  (there is no event loop)
        between()


def run_alone(work: Callable[[], Coroutine[None, None, T]], between: Callable[[], object]) -> T:
    """Run asynchronous work to its end that waits for nothing but `to_thread` and `sleep`, without an event loop.

    `between` is called before each piece of work, and now and then during a sleep; what it raises ends all of it.
    """
    before = _BETWEEN.set(between)
    waiting = work()
    try:
        waiting.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    finally:
        waiting.close()
        _BETWEEN.reset(before)
    raise AssertionError("it waits for something that needs an event loop")


def lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out: for an object, or for the stack of one more thread, of which Python says no more than this."""
    return isinstance(error, MemoryError) or "start new thread" in str(error)
