"""Waits for other threads with a timeout that does not depend on the wall clock.

With some C libraries (musl, and Pythons that were built for an old glibc), Python's locks wait until a
time by the wall clock. If that is set back by an hour, the wait lasts an hour longer. The waits here poll the
system for readable files instead, which uses elapsed time.
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
        """Signal the event; repeated calls do nothing."""
        if not self._is_set:
            self._is_set = True
            os.close(self._write_end)

    def wait(self, seconds: float) -> bool:
        """Wait for the event, at most `seconds`; returns whether it has happened."""
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def close(self) -> None:
        """Release the pipe. Call it once, after `set`, when no thread is waiting any more."""
        os.close(self._read_end)


def ends_within(thread: threading.Thread, seconds: float) -> bool:
    """Wait for the thread to end, at most `seconds`; returns whether it has."""
    deadline = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < deadline:
        select.poll().poll(1000 * _LOOK_SECONDS)  # polls no files: it only sleeps
    return not thread.is_alive()
