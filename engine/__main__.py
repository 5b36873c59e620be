"""The command `reconcile`: parse, run one command, answer with an exit code.

The process ends there: Python would first free all of the command's objects, which takes tenths of a second for a large
home, and wait for threads that are no longer needed.

It imports only what every command needs; `--help` loads no library.
"""

import os
import sys
from types import TracebackType

# Created in advance: it is written when there is no memory for anything else.
_NO_MEMORY = (
    b"Error: Cannot go on: there is not enough memory.\n"
    b"Give this process or machine more memory. Each replica is as before or after a whole transaction.\n"
)


def main(argv: list[str] | None = None) -> int:
    """Run the command in `argv` (without the program's name). Returns the exit code.

    Without `argv`, uses the program's own arguments, and ends the process with that code.
    """
    if argv is None and "_ARGCOMPLETE" in os.environ:  # a shell requests completions
        from engine.commandline.completion import answer_shell

        answer_shell()
    if argv is not None:
        return _run(argv)
    sys.excepthook = _end_by_fault
    os._exit(_run(sys.argv[1:]))


def _end_by_fault(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """Show an unexpected exception, and end: Python would wait for threads that may never end."""
    # Without memory for an exception, Python raises SystemError instead.
    if isinstance(fault, MemoryError) or "without exception set" in str(fault):
        os.write(2, _NO_MEMORY)
    else:
        sys.__excepthook__(kind, fault, trace)
    os._exit(1)


def _run(argv: list[str]) -> int:
    from engine.process.garbage_collection import without_garbage_collection

    with without_garbage_collection():
        return _answer(argv)


def _answer(argv: list[str]) -> int:
    from engine.commandline.exit_codes import STOPPED_BY_SIGNAL
    from engine.commandline.output import finish_output

    try:
        from engine.commandline.arguments.parser import parse

        arguments = parse(argv)

        from engine.commandline.commands import run_command

        return run_command(arguments)
    except SystemExit as answered:  # argparse handled it: --help, --version or a usage error
        return int(answered.code or 0)
    except KeyboardInterrupt:  # before our own handlers were installed
        return STOPPED_BY_SIGNAL + 2
    finally:
        finish_output()


if __name__ == "__main__":
    sys.exit(main())
