"""The end of a program that received a signal: at most `STOP_SECONDS` later, whatever still hangs.

A call that does not return (a disk that does not answer, a name that is looked up, a store that holds its answer
back) cannot be cancelled, and Python waits for the thread that made it. What was being written is then undone or
finished by the next run, as after a kill. A thread of its own keeps the time, woken by the signal itself: the main
thread may be where no handler of Python's runs, or about to wait, when a signal does not keep it from that.

It must do nothing that may wait: another thread prints its message.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.process.waiting import OneTimeEvent, ends_within

# Of the second within which the program ends; the rest is for what the operating system does at a process's end, and for a
# loaded machine, where a thread that is woken waits for its turn.
STOP_SECONDS = 0.7
_FAREWELL_SECONDS = 0.05


class Deadline:
    """Ends the process `seconds` after the first SIGINT or SIGTERM, unless all is over by then; None: never.

    `wake` is called with the signal, to let a main thread that waits run its handler. `exit_code` and `farewell` say how
    it ends: the code for a signal's number, and what is called before.
    """

    def __init__(self, seconds: float | None) -> None:
        self.wake: Callable[[], object] = lambda: None
        self.exit_code: Callable[[int], int] = lambda signal_number: 128 + signal_number
        self.farewell: Callable[[int], None] = lambda _signal_number: None
        self._seconds = seconds
        self._over = OneTimeEvent()
        self._left: list[threading.Thread] | None = None  # once over: who still keeps Python from ending
        self.signals: int | None = None  # the pipe that signals are written to, while the block runs

    def watch(self, wakeups: int) -> None:
        """Wait for a signal's number in this pipe, and then for the end. Runs in a thread of its own."""
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
        """Count from now, as if a signal had come, and end with this code. It starts no thread and needs no memory to speak of."""
        self.wake, self.farewell = lambda: None, lambda _signal_number: None
        self.exit_code = lambda _signal_number: exit_code
        if self.signals is not None:
            os.write(self.signals, bytes((signal.SIGTERM,)))

    def close(self) -> None:
        """The program has finished; only threads that hang may delay its end now."""
        here = threading.current_thread()
        self._left = [thread for thread in threading.enumerate() if not thread.daemon and thread is not here]
        self._over.set()

    def _is_held_up(self) -> bool:
        assert self._left is not None
        return not all(ends_within(thread, _FAREWELL_SECONDS) for thread in self._left)


def _first_signal(wakeups: int) -> int | None:
    """The first of the signals that end a program; None when all is over without one."""
    with open(wakeups, "rb", buffering=0) as numbers:
        while read := numbers.read(1):
            if read[0] in (signal.SIGINT, signal.SIGTERM):
                return read[0]
    return None


@contextmanager
def deadline(seconds: float | None) -> Iterator[Deadline]:
    """Hold the program to its end while the block runs, and behind it. Only for the main thread."""
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
