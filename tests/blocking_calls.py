"""Notices a call that blocks the event loop, by the audit events that Python itself raises.

What counts is a blocking call that a coroutine of the program makes in the thread of a running asyncio loop. What a test does
itself between its awaits, and what runs in a worker thread, is no business of this module. SQLite raises no audit events of
its own; its statements are traced.
"""

import asyncio
import inspect
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, SupportsIndex

import apsw

_ROOT = Path(__file__).parents[1]
_PROGRAM = (f"{_ROOT / 'engine'}/", f"{_ROOT / 'api'}/")
_TESTS = f"{_ROOT / 'tests'}/"
_IMPORTING = "<frozen importlib._bootstrap"
_EVENTS = frozenset(
    {
        "open",
        "os.chmod",
        "os.link",
        "os.listdir",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.scandir",
        "os.truncate",
        "shutil.copyfile",
        "shutil.rmtree",
        "socket.connect",
        "socket.getaddrinfo",
        "sqlite3.connect",
        "subprocess.Popen",
    }
)
_found: list[str] | None = None
"""What was found since the watching began; None while it is off."""


@contextmanager
def watched_for_blocking_calls() -> Iterator[list[str]]:
    """Yields the list to which blocking calls are added, each with where it was made."""
    global _found  # noqa: PLW0603  (an audit hook cannot be taken away again, so it is switched)
    _found = []
    sleep = time.sleep

    def noted_sleep(seconds: float | SupportsIndex, /) -> None:
        _note("time.sleep", seconds)
        sleep(seconds)

    time.sleep = noted_sleep  # Python raises the event from 3.13 on
    apsw.connection_hooks.append(_trace_statements)
    try:
        yield _found
    finally:
        _found = None
        time.sleep = sleep
        apsw.connection_hooks.remove(_trace_statements)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _found is None or event not in _EVENTS:
        return
    if event == "socket.connect" and arguments[0].gettimeout() == 0:  # the loop's own
        return
    _note(event, arguments)


def _trace_statements(connection: apsw.Connection) -> None:
    def note(_: apsw.Cursor, sql: str, __: object) -> bool:
        _note("a SQL statement", sql)
        return True

    connection.exec_trace = note


def _note(what: str, detail: object) -> None:
    if _found is None or asyncio._get_running_loop() is None:
        return
    frame = sys._getframe(1)
    if _is_the_programs(frame):
        # Without the lines themselves: reading them would open files.
        stack = (
            f"  {f.f_code.co_filename}:{line} {f.f_code.co_name}" for f, line in traceback.walk_stack(frame)
        )
        _found.append("\n".join((f"{what} {detail!r}", *islice(stack, 12))))


def _is_the_programs(frame: FrameType | None) -> bool:
    """Whether a coroutine of the program made the call, rather than the test, or the import of a module."""
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        if name.startswith(_IMPORTING) or (name.startswith(_TESTS) and name != __file__):
            return False
        asynchronous = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
        if name.startswith(_PROGRAM) and code.co_flags & asynchronous:
            return True
        frame = frame.f_back
    return False


sys.addaudithook(_audit)
