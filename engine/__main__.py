"""The command `reconcile`: parse, run one command, answer with an exit code.

Nothing is imported here that the arguments may not need; `--help` loads no library.
"""

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command that `argv` (without the program's name) asks for. Returns the exit code."""
    from engine.commandline.exit_codes import STOPPED_BY_SIGNAL
    from engine.commandline.output import finish_output

    try:
        from engine.commandline.parser import parse

        arguments = parse(sys.argv[1:] if argv is None else argv)

        from engine.commandline.commands import run_command

        return run_command(arguments)
    except SystemExit as answered:  # argparse answered by itself: --help, --version or a usage error
        return int(answered.code or 0)
    except KeyboardInterrupt:  # before our own handlers were in place
        return STOPPED_BY_SIGNAL + 2
    finally:
        finish_output()


if __name__ == "__main__":
    sys.exit(main())
