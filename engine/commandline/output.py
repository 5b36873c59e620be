"""Writes the result to stdout and messages to stderr. Imports no library.

A closed pipe (`reconcile | head`) is not an error; a full disk behind stdout is. Text works in any
locale, because characters that the locale lacks are escaped; JSON is UTF-8 in any locale.
"""

import os
import sys
from typing import TextIO

from engine.errors import EngineError

_MESSAGE_LENGTH_MAX = 2000


def emit_text(text: str) -> None:
    """Write text to stdout. Raises EngineError when it cannot be written."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    _write(text.encode(encoding, "backslashreplace"))


def emit_json(document: bytes) -> None:
    """Write one JSON document to stdout: indented on a terminal, else compact; ends with a newline."""
    if sys.stdout is not None and sys.stdout.isatty():
        import msgspec

        document = msgspec.json.format(document, indent=2)
    _write(document + b"\n")


def print_message(text: str) -> None:
    """Write one line to stderr, unless stderr is closed."""
    if sys.stderr is None:
        return
    try:
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(f"{text}\n".encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def print_error(message: str, hint: str) -> None:
    """Write an error and its hint to stderr, without secrets."""
    from engine.commandline.text.safe_text import visible, without_secrets

    print_message(f"Error: {visible(without_secrets(message), _MESSAGE_LENGTH_MAX)}")
    if hint:
        print_message(visible(without_secrets(hint), _MESSAGE_LENGTH_MAX))


def finish_output() -> None:
    """Flush both streams, so that the interpreter does not fail to do so at exit."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                _silence(stream)


def _write(data: bytes) -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise EngineError(
            f"The result could not be written to standard output: {error.strerror}.",
            "The pass has written its changes; run it again to see that nothing is left to do.",
        ) from error


def _silence(stream: TextIO) -> None:
    """Redirect the stream to nowhere: flushing its buffer would raise again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
