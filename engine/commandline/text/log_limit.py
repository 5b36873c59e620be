"""Limits how often the same fault is logged: immediately, then at most once a minute with a count.

A repeated fault is no news, and a disk full of log lines is a new fault. Lines below warning are not limited.
Two lines are the same if message and fields are; the number of lines per minute with one message and any fields is
limited too.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
SAME_LINES_MAX = 5  # of one message with the same fields, in one window
MESSAGE_LINES_MAX = 60  # of one message with any fields, in one window
_KEYS_MAX = 1000


@dataclass
class _Window:
    began_at: float
    passed: int = 0
    suppressed: int = 0


class RepeatLimit(logging.Filter):
    """Drops repeated warnings and errors, and adds the number of dropped ones to the next (`suppressed`)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that only go forward."""
        super().__init__()
        self._clock = clock
        self._lines: dict[object, _Window] = {}
        self._messages: dict[object, _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if record.levelno < logging.WARNING:
            return True
        now = self._clock()
        fields: dict[str, object] = getattr(record, "fields", {})
        line = _window(self._lines, (record.name, record.getMessage(), repr(sorted(fields.items()))), now)
        message = _window(self._messages, (record.name, record.msg), now)
        # A repeating line is written once per window from its second window on.
        same_max = 1 if line.suppressed else SAME_LINES_MAX
        if line.passed >= same_max or message.passed >= MESSAGE_LINES_MAX:
            line.suppressed += 1
            return False
        line.passed += 1
        message.passed += 1
        if line.suppressed:
            record.fields = {**fields, "suppressed": line.suppressed}
            line.suppressed = 0
            line.passed = SAME_LINES_MAX
        return True


def _window(windows: dict[object, _Window], key: object, now: float) -> _Window:
    """A key's current window; the number of suppressed lines carries over from the previous one."""
    window = windows.get(key)
    if window is None:
        if len(windows) >= _KEYS_MAX:
            for old in [k for k, w in windows.items() if now - w.began_at >= WINDOW_SECONDS]:
                del windows[old]
        if len(windows) >= _KEYS_MAX:
            windows.clear()
        window = windows[key] = _Window(now)
    elif now - window.began_at >= WINDOW_SECONDS:
        window.began_at, window.passed = now, 0
    return window
