"""Ends a program after a signal, at most `STOP_SECONDS` later, whatever still hangs.

A call that does not return (a disk that does not respond, a name lookup, a store that delays its answer)
cannot be cancelled, and Python waits for its thread. The next run undoes or finishes the interrupted
writes, as after a kill. A separate thread measures the time, woken by the signal itself: the main
thread may be where Python runs no signal handlers, or about to start a wait that the signal no longer interrupts.

The thread must do nothing that may wait: another thread prints its message.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.process.waiting import OneTimeEvent, ends_within

# Part of the second within which the program ends; the rest is for the operating system to end the process, and for a
# loaded machine, where a woken thread has to wait for its turn.
STOP_SECONDS = 0.7
_FAREWELL_SECONDS = 0.05


class Deadline:
    """Ends the process `seconds` after the first SIGINT or SIGTERM, unless the program has finished by then; None: never.

    `wake` is called with the signal, so that a waiting main thread runs its handler. `exit_code` returns the code for a
    signal's number; `farewell` is called before the end.
    """

    def __init__(self, seconds: float | None) -> None:
        self.wake: Callable[[], object] = lambda: None
        self.exit_code: Callable[[int], int] = lambda signal_number: 128 + signal_number
        self.farewell: Callable[[int], None] = lambda _signal_number: None
        self._seconds = seconds
        self._over = OneTimeEvent()
        self._left: list[threading.Thread] | None = None  # threads that still keep Python from ending
        self.signals: int | None = None  # the pipe that signals are written to, while the block runs

    def watch(self, wakeups: int) -> None:
        """Wait for a signal's number in this pipe, then for the deadline. Runs in a separate thread."""
        number = _first_signal(wakeups)
        if number is None:
            self._over.close()
            return
        self.wake()
        if self._seconds is None or (self._over.wait(self._seconds) and not self._is_held_up()):
            return
        speaker = threading.Thread(target=self.farewell, args=(number,), daemon=True)
        speaker.start()
        ends_within(speaker, _FAREWELL_SECONDS)
        os._exit(self.exit_code(number))

    def begin(self, exit_code: int) -> None:
        """Start the deadline now, as if a signal had come, and end with this code. Starts no thread and needs hardly any memory."""
        self.wake, self.farewell = lambda: None, lambda _signal_number: None
        self.exit_code = lambda _signal_number: exit_code
        if self.signals is not None:
            os.write(self.signals, bytes((signal.SIGTERM,)))

    def close(self) -> None:
        """Note that the program has finished; only hanging threads may now delay its end."""
        here = threading.current_thread()
        self._left = [thread for thread in threading.enumerate() if not thread.daemon and thread is not here]
        self._over.set()

    def _is_held_up(self) -> bool:
        assert self._left is not None
        return not all(ends_within(thread, _FAREWELL_SECONDS) for thread in self._left)


def _first_signal(wakeups: int) -> int | None:
    """Wait for the first signal that ends a program; None if the program finishes without one."""
    with open(wakeups, "rb", buffering=0) as numbers:
        while read := numbers.read(1):
            if read[0] in (signal.SIGINT, signal.SIGTERM):
                return read[0]
    return None


@contextmanager
def deadline(seconds: float | None) -> Iterator[Deadline]:
    """Enforce the deadline during the block and after it. Only for the main thread."""
    made = Deadline(seconds)
    wakeups, signals = os.pipe()
    os.set_blocking(signals, False)
    made.signals = signals
    before = signal.set_wakeup_fd(signals, warn_on_full_buffer=False)
    threading.Thread(target=made.watch, args=(wakeups,), name="deadline", daemon=True).start()
    try:
        yield made
    finally:
        signal.set_wakeup_fd(before)
        made.signals = None
        made.close()
        os.close(signals)
