"""Handles SIGINT and SIGTERM: the first stops cleanly, a second one immediately, which is also safe.

A write that a worker thread has begun is awaited, so it is committed or rolled back as a whole; but not forever
(see `deadline`).
"""

import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from engine.commandline.exit_codes import STOPPED_BY_SIGNAL
from engine.process.deadline import Deadline, deadline

if TYPE_CHECKING:
    import asyncio

Result = TypeVar("Result")


class Stopped(BaseException):
    """A signal ended the command. Not an Exception, so that no handler catches it and continues."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.name = signal.Signals(signal_number).name
        self.exit_code = STOPPED_BY_SIGNAL + signal_number


class Interruption:
    """The reaction to a signal: cancel the work in `run`, or else raise Stopped in the running code."""

    def __init__(self) -> None:
        """Start without a signal and without work to cancel."""
        self._signal_number = 0
        self._cancel: Callable[[], object] | None = None
        self.deadline: Deadline | None = None

    def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Run asynchronous work to its end. Raises Stopped after a signal, once the work has ended.

        A signal that comes when the work is already complete changes nothing: its result is reported.
        """
        import asyncio

        import anyio

        async def cancellable() -> Result:
            loop = asyncio.get_running_loop()
            if self.deadline is not None:
                self.deadline.wake = partial(_wake, loop)
            with anyio.CancelScope() as scope:
                # In a signal handler, only this wakes a waiting loop.
                self._cancel = lambda: loop.call_soon_threadsafe(scope.cancel)
                return await work()
            raise Stopped(self._signal_number)

        try:
            return anyio.run(cancellable)
        finally:
            self._cancel = None

    def run_alone(self, work: Callable[[], Coroutine[None, None, Result]]) -> Result:
        """As `run` but without an event loop, for work that only awaits `offload.to_thread` and `sleep`.

        A signal takes effect between two pieces of work, so one that has begun is completed here too.
        """
        from engine.process.offload import run_alone

        def check() -> None:
            if self._signal_number:
                raise Stopped(self._signal_number)

        self._cancel = lambda: None
        try:
            return run_alone(work, check)
        finally:
            self._cancel = None

    def on_signal(self, stop: Callable[[], object]) -> None:
        """Called within `run`: make a signal call `stop` in the event loop instead of cancelling the work."""
        import asyncio

        loop = asyncio.get_running_loop()
        self._cancel = lambda: loop.call_soon_threadsafe(stop)

    def handle(self, signal_number: int, _frame: FrameType | None) -> None:
        """Called by Python when a signal arrives."""
        if self._signal_number:
            os._exit(STOPPED_BY_SIGNAL + signal_number)
        self._signal_number = signal_number
        if self._cancel is None:
            raise Stopped(signal_number)
        self._cancel()


@contextmanager
def interruption(stop_seconds: float | None = None) -> Iterator[Interruption]:
    """Handle SIGINT and SIGTERM while the block runs; main thread only.

    With `stop_seconds` the process ends that long after a signal, even if something hangs.
    """
    stop = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    with deadline(stop_seconds) as stop.deadline:
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _wake(loop: "asyncio.AbstractEventLoop") -> None:
    with suppress(RuntimeError):  # closed by now
        loop.call_soon_threadsafe(lambda: None)
