"""Progress shows on a terminal, late, on one line."""

import io

from engine.commandline.text.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_work_that_is_quickly_over_shows_nothing() -> None:
    stream, clock = Terminal(), Clock()
    progress = ProgressLine(stream, quiet=False, verbose=False, clock=clock)
    with progress:
        progress("entities", 1, 2)
        clock.now = 0.9
        progress.draw()
    assert stream.getvalue() == ""


def test_long_work_is_one_line_that_is_gone_in_the_end() -> None:
    stream, clock = Terminal(), Clock()
    progress = ProgressLine(stream, quiet=False, verbose=False, clock=clock)
    progress("entities", 500, 20_000)
    clock.now = 3.2
    progress.draw()
    assert stream.getvalue() == "\r" + "entities 500 of 20,000 (3 s)".ljust(78)
    progress.__exit__(None, None, None)
    assert stream.getvalue().endswith("\r" + " " * 78 + "\r")
    assert "\n" not in stream.getvalue()


def test_a_step_that_a_server_named_cannot_move_the_cursor() -> None:
    stream, clock = Terminal(), Clock()
    progress = ProgressLine(stream, quiet=False, verbose=False, clock=clock)
    progress("\x1b[2J", 0, None)
    clock.now = 2
    progress.draw()
    assert "\x1b" not in stream.getvalue()


def test_without_a_terminal_progress_is_one_line_per_step_on_request() -> None:
    reported, silent, quiet = io.StringIO(), io.StringIO(), io.StringIO()
    for stream, is_quiet, verbose in ((reported, False, True), (silent, False, False), (quiet, True, True)):
        with ProgressLine(stream, quiet=is_quiet, verbose=verbose) as progress:
            for step in ("devices", "entities", "entities"):
                progress(step, 0, None)
    assert reported.getvalue() == "devices\nentities\n"
    assert silent.getvalue() == quiet.getvalue() == ""


def test_progress_without_a_stream_is_no_error() -> None:
    with ProgressLine(None, quiet=False, verbose=True) as progress:
        progress("devices", 0, None)
