"""`reconcile`, with the processor time of each callback of its event loop measured: how late that loop is by its own doing.

    python -m bench.service.loop_turns FILE ARGUMENT...

How late a loop is by the clock says as much about what else the machine does. With SIGUSR1 the longest callbacks since the last
such signal are written to FILE, as JSON. What holds Python's one lock in other threads is not in it.
"""

import json
import runpy
import signal
import sys
import time
from asyncio import Task
from asyncio.events import Handle
from pathlib import Path
from typing import Any

_SHOWN = 10
_LONG_SECONDS = 0.005

_run = Handle._run  # noqa: SLF001 (asyncio has no other place to measure at)
_longest: list[tuple[float, str]] = []


def _measured(handle: Handle) -> None:
    before = time.thread_time()
    _run(handle)
    seconds = time.thread_time() - before
    if seconds > _LONG_SECONDS:
        _longest.append((seconds, _name(handle)))


def _name(handle: Handle) -> str:
    """The callback, or the innermost functions of the task that it moves on."""
    callback = getattr(handle, "_callback", None)
    task = getattr(callback, "__self__", None)
    if not isinstance(task, Task):
        return str(getattr(callback, "__qualname__", callback))
    names: list[str] = []
    coroutine: Any = task.get_coro()
    while hasattr(coroutine, "cr_code"):
        names.append(coroutine.cr_code.co_qualname)
        coroutine = coroutine.cr_await
    return " > ".join(names[-3:]) or task.get_name()


def _write(_number: int, _frame: object) -> None:
    found = [[round(seconds * 1000, 1), name] for seconds, name in sorted(_longest, reverse=True)[:_SHOWN]]
    _longest.clear()
    unfinished = Path(f"{sys.argv[0]}.new")
    unfinished.write_text(json.dumps(found), encoding="utf-8")
    unfinished.replace(sys.argv[0])


if __name__ == "__main__":
    Handle._run = _measured  # type: ignore[assignment,method-assign]  # noqa: SLF001
    signal.signal(signal.SIGUSR1, _write)
    del sys.argv[0]
    runpy.run_module("engine", run_name="__main__")
