"""Runs blocking work: in a worker thread, or in the calling thread in tests with virtual time.

A process that keeps many homes has its own threads (`engine/sites/threads.py`). A command that only waits for files
and stores needs neither threads nor an event loop (`run_alone`), and loads neither: that would take longer than its
whole pass.
"""

import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")

# The function to call between two pieces of work without an event loop; None with one.
_BETWEEN: ContextVar[Callable[[], object] | None] = ContextVar("between", default=None)

# The complete advice for a shortage of memory.
MORE_MEMORY = "Give this process or machine more memory; it is tried again."

_NAP_SECONDS = 0.05


class Offload(Protocol):
    """Runs blocking work without blocking the event loop."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """Return the result of `work()`, or raise its exception."""


async def to_thread(work: Callable[[], T]) -> T:
    """Run the work in a thread of anyio's pool, or in the calling thread without an event loop.

    It runs to its end even if the wait for it is cancelled.
    """
    between = _BETWEEN.get()
    if between is not None:
        between()
        return work()
    import anyio.to_thread

    return await anyio.to_thread.run_sync(work)


async def sleep(seconds: float) -> None:
    """Wait `seconds`, with an event loop or without."""
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
    """Run asynchronous work that only waits for `to_thread` and `sleep` to its end, without an event loop.

    `between` is called before each piece of work, and repeatedly during a sleep; its exceptions end the work.
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
    raise AssertionError("the work awaited something that needs an event loop")


def lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out: for an object, or for another thread's stack, which only Python's message shows."""
    return isinstance(error, MemoryError) or "start new thread" in str(error)
