"""Waiting for other threads for so many seconds at most, whatever is done to the wall clock meanwhile.

Where the C library has no other way (musl, and Pythons that were built for an old glibc), a lock of Python's waits until a
time by the wall clock. When that is set back by an hour, the wait lasts an hour longer. Waiting here polls the
system for readable files, which counts elapsed time.
"""

import os
import select
import threading
import time

_LOOK_SECONDS = 0.005


class OneTimeEvent:
    """Something that happens once: `set` may be called by any thread, `wait` by one."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        self._is_set = False

    def set(self) -> None:
        """It happens now; again changes nothing."""
        if not self._is_set:
            self._is_set = True
            os.close(self._write_end)

    def wait(self, seconds: float) -> bool:
        """Wait until it has happened, so long at most; whether it has."""
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def close(self) -> None:
        """Release the pipe. Call it once, after `set`, when no thread waits any more."""
        os.close(self._read_end)


def ends_within(thread: threading.Thread, seconds: float) -> bool:
    """Wait until the thread has ended, so long at most; whether it has."""
    deadline = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < deadline:
        select.poll().poll(1000 * _LOOK_SECONDS)  # of nothing: it sleeps
    return not thread.is_alive()
