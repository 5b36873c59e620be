"""Progress on stderr: one line that is rewritten on a terminal, one line per step elsewhere with --progress.

Work that takes less than a second shows nothing. A separate thread draws the line, so that it also
counts the seconds while Home Assistant is silent; the thread ends with the `with` block.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self, TextIO

from engine.commandline.text.safe_text import visible

_SHOW_AFTER_SECONDS = 1.0
_REDRAW_SECONDS = 0.2
_WIDTH = 78


class _Step(NamedTuple):
    what: str
    done: int
    total: int | None


class ProgressLine:
    """A `ports.Progress`, callable from any thread. Clears the terminal's line at the end."""

    def __init__(
        self,
        stream: TextIO | None,
        *,
        quiet: bool,
        verbose: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds; a stream of None draws nothing."""
        self._stream = stream
        self._is_told = stream is not None and not quiet and verbose
        self._is_drawn = stream is not None and not quiet and not verbose and stream.isatty()
        self._clock = clock
        self._began = clock()
        self._step = _Step("", 0, None)
        self._has_drawn = False
        self._end = threading.Event()
        self._drawer = threading.Thread(target=self._keep_drawing, name="progress", daemon=True)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Record the progress of the work."""
        if self._is_told and what != self._step.what:
            self._write(f"{visible(what)}\n")
        self._step = _Step(what, done, total)

    def __enter__(self) -> Self:
        if self._is_drawn:
            self._drawer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if self._drawer.is_alive():
            self._drawer.join()
        if self._has_drawn:
            self._write(f"\r{' ' * _WIDTH}\r")

    def draw(self) -> None:
        """Redraw the line, once the work has taken long enough."""
        seconds = self._clock() - self._began
        what, done, total = self._step
        if not what or seconds < _SHOW_AFTER_SECONDS:
            return
        self._has_drawn = True
        share = f" {done:,} of {total:,}" if total else f" {done:,}" if done else ""
        text = f"{visible(what, 50)}{share} ({seconds:.0f} s)"
        self._write(f"\r{text[:_WIDTH]:<{_WIDTH}}")

    def _keep_drawing(self) -> None:
        while not self._end.wait(_REDRAW_SECONDS):
            self.draw()

    def _write(self, text: str) -> None:
        assert self._stream is not None
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, UnicodeEncodeError):
            # The terminal is gone, which must not end the work.
            self._is_told = False
            self._end.set()
