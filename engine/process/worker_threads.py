"""Worker threads for the event loop's blocking work: one for each concurrent job, each kept for a while afterwards.

anyio's own threads cost the loop four times as much for each job, and a starting home has more than twenty. The caller
limits the number of concurrent jobs. The bookkeeping of threads changes only in the event loop.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

import anyio
import anyio.lowlevel

_IDLE_SECONDS = 10.0

T = TypeVar("T")


class _Job(NamedTuple):
    """A piece of work, and the future that gets its outcome."""

    work: Callable[[], Any]
    outcome: asyncio.Future[Any]


class WorkerThreads:
    """Runs jobs in worker threads. Create it inside the event loop."""

    def __init__(self, idle_seconds: float = _IDLE_SECONDS) -> None:
        """Starts no thread yet. A thread without work ends after `idle_seconds`."""
        self._loop = asyncio.get_running_loop()
        self._idle_seconds = idle_seconds
        self._jobs = SimpleQueue[_Job | None]()  # None ends the thread that takes it
        self._idle = 0  # threads without an assigned job

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work()`, or raise its exception. The work runs to its end even if the wait is cancelled.

        Raises RuntimeError when no thread can be started.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        if self._idle:
            self._idle -= 1
        else:
            # A daemon, because a thread without work must not delay the end of the process.
            threading.Thread(target=self._serve, name="worker", daemon=True).start()
        outcome: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, outcome))
        with anyio.CancelScope(shield=True):
            return await outcome
        raise AssertionError("nothing cancels the shield")

    # In a worker thread

    def _serve(self) -> None:
        with suppress(RuntimeError):  # the event loop was closed meanwhile
            while self._serve_one():
                pass

    def _serve_one(self) -> bool:
        """Wait for a job and run it. Returns whether to continue. Releases the job's objects before the next wait."""
        try:
            job = self._jobs.get(timeout=self._idle_seconds)
        except Empty:
            self._loop.call_soon_threadsafe(self._retire_one)
            return True
        if job is None:
            return False
        self._loop.call_soon_threadsafe(self._finish, job.outcome, *_done(job.work))
        return True

    # In the event loop

    def _retire_one(self) -> None:
        """End a thread without work, unless a job was assigned to it meanwhile."""
        if self._idle:
            self._idle -= 1
            self._jobs.put(None)

    def _finish(self, outcome: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
        self._idle += 1
        if outcome.cancelled():
            return
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)


def _done(work: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """The work's result, or its exception."""
    try:
        return work(), None
    except StopIteration as error:  # a future refuses it, and whoever awaits the work would wait for ever
        return None, RuntimeError(f"the work raised {error!r}")
    except BaseException as error:  # noqa: BLE001 (it is raised where the work is awaited)
        return None, error
