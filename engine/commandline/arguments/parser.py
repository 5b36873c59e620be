"""The arguments of `reconcile`. Imports no library: `--help` must respond immediately.

An option that was not given is absent from the result, so that options work both before and after a
subcommand; `Arguments` holds the defaults. Secrets are never options: other users can see them.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Collection, Iterator
from typing import NamedTuple, NoReturn

from engine import __version__
from engine.commandline import exit_codes
from engine.commandline.arguments.arguments import (
    COMMANDS,
    COMPACT,
    SHELLS,
    STORE_COMMANDS,
    Arguments,
)
from engine.commandline.arguments.examples import epilog, setting_hint, suggestion, without_help
from engine.commandline.arguments.options import (
    add_fleet,
    add_format,
    add_name,
    add_output,
    add_quiet,
    add_rows,
    add_settings,
    add_settings_file,
    add_site,
)
from engine.commandline.arguments.values import delete_limit, moment, registries
from engine.core.records.registries import REGISTRIES


class Grammar(NamedTuple):
    """The grammar of the command line: the whole parser, and each command's parser by name."""

    parser: argparse.ArgumentParser
    commands: dict[str, argparse.ArgumentParser]

    def actions(self) -> Iterator[argparse.Action]:
        """The arguments of all commands."""
        return _actions(self.parser)

    @property
    def options(self) -> frozenset[str]:
        """The options of all commands."""
        return frozenset(option for action in self.actions() for option in action.option_strings)

    def accepts(self, command: str) -> frozenset[str]:
        """The destinations of a command's arguments."""
        return frozenset(action.dest for action in _actions(self.commands[command]))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of the parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001  (argparse offers no other way)
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for behind in action.choices.values():
                yield from _actions(behind)


class _Parser(argparse.ArgumentParser):
    """Argparse whose usage errors are one message, one hint and exit code 64."""

    def error(self, message: str) -> NoReturn:
        wrong = re.match(r"argument COMMAND: invalid choice: '(.*?)'", message)
        if wrong:
            refuse(f"{wrong[1]!r} is not a command of reconcile.", suggestion(wrong[1], COMMANDS))
        stop = "" if message.endswith("?") else "."
        refuse(f"{message[:1].upper()}{message[1:]}{stop}", f"See `{self.prog} --help`.")


def refuse(message: str, hint: str) -> NoReturn:
    """Print the error and end: raises SystemExit with the exit code of a usage error."""
    sys.stderr.write(f"Error: {message}\n{hint}\n")
    raise SystemExit(exit_codes.USAGE)


def parse(argv: list[str]) -> Arguments:
    """The arguments as given. Raises SystemExit: 0 after --help and --version, 64 for a usage error."""
    argv = without_help(argv)
    grammar = build_grammar(COMMANDS.keys() & set(argv))
    _check_options(argv, grammar.options)
    arguments, left = grammar.parser.parse_known_args(argv, Arguments())
    command = f"reconcile {arguments.command}" if arguments.command else "reconcile"
    if left:
        foreign = left[0].partition("=")[0]
        what = "is not an option of" if foreign.startswith("-") else "is one argument too many for"
        refuse(f"{left[0]} {what} `{command}`.", f"See `{command} --help`.")
    if arguments.command:
        for name in sorted(vars(arguments).keys() - grammar.accepts(arguments.command) - {"command"}):
            option = f"--{name.replace('_', '-')}"
            refuse(f"{option} is not an option of `{command}`.", f"See `{command} --help`.")
    if arguments.command == "history" and arguments.key != COMPACT:
        for option in ("--dry-run", "--before"):
            if option[2:].replace("-", "_") in vars(arguments):
                refuse(
                    f"{option} is an option of `reconcile history compact`.",
                    "See `reconcile history --help`.",
                )
    if arguments.plan and arguments.plan_out:
        refuse("--plan and --plan-out are mutually exclusive.", "Make a plan first, then carry it out.")
    return arguments


def build_grammar(commands_in_full: Collection[str] = COMMANDS.keys()) -> Grammar:
    """The parser of the command line and of each command; commands not in `commands_in_full` have only a name."""
    parser = _Parser(
        prog="reconcile",
        usage="reconcile [OPTION...] [COMMAND]",
        description="Make the SQLite file and the records store equal to Home Assistant's registries, with\n"
        "the fewest writes. Without a command: one pass. Home Assistant is only ever read.",
        epilog=f"{epilog('')}\n\n{exit_codes.TABLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"reconcile {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog="reconcile")
    grammar = Grammar(parser, {})
    for name, text in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        grammar.commands[name] = command
        if name in commands_in_full:
            command.description = textwrap.fill(f"{text[:1].upper()}{text[1:]}.", 100)
            command.epilog = epilog(name)
            _add_to_command(name, command)
    _add_pass(parser)
    _add_comparison(parser)
    add_settings(parser)
    add_output(parser)
    return grammar


def _add_to_command(name: str, command: argparse.ArgumentParser) -> None:
    if name == "healthcheck":
        _add_healthcheck(command)
        return
    if name == "completion":
        command.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
        return
    if name == "docs":
        command.add_argument("topic", metavar="TOPIC", nargs="?", help="a page, a guard or a verdict")
        return
    if name in ("store", "site", "fleet"):
        {"store": _add_store, "site": add_site, "fleet": add_fleet}[name](command)
        return
    add_settings(command)
    add_output(command)
    if name in ("show", "history"):
        command.add_argument("key", metavar="KEY", help="REGISTRY/ID, an entity_id, an id or a name")
        if name == "history":
            _add_compaction(command)
    elif name == "drift":
        _add_comparison(command)
    elif name == "serve":
        command.add_argument("--observe", action="store_true", help="compare and report, write nothing")
        command.add_argument(
            "--shard", metavar="I/N", help="keep this share of the homes of sites.directory, 1/N to N/N"
        )
    elif name == "config":
        _add_config_show(command)


def _add_healthcheck(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--url", metavar="URL", help="the service's address, if not http.host and http.port of the settings"
    )
    add_settings_file(command)
    add_quiet(command)


def _add_store(store: argparse.ArgumentParser) -> None:
    nested = store.add_subparsers(dest="store_command", metavar="snapshot|restore", required=True)
    for name, text in STORE_COMMANDS.items():
        command = nested.add_parser(
            name,
            help=text,
            description=f"{text[:1].upper()}{text[1:]}.",
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        command.add_argument("file", metavar="FILE", help="the snapshot")
        if name == "snapshot":
            command.add_argument("--force", action="store_true", help="replace FILE if it exists")
        add_rows(command)
        add_name(command)
        add_settings_file(command)
        add_format(command)
        add_quiet(command)


def _add_compaction(history: argparse.ArgumentParser) -> None:
    group = history.add_argument_group(f"with {COMPACT} as KEY")
    group.add_argument("--dry-run", action="store_true", help="count what would be forgotten, change nothing")
    group.add_argument(
        "--before",
        type=moment,
        metavar="TIME",
        help="forget what is older than this day or time (2026-01-31, or RFC 3339), regardless of history.keep_days and "
        "the clock",
    )


def _add_config_show(config: argparse.ArgumentParser) -> None:
    nested = config.add_subparsers(dest="config_command", metavar="show", required=True)
    show = nested.add_parser(
        "show",
        help=COMMANDS["config"],
        description="Print every setting, its value and where it comes from. Secrets show as ***.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add_settings(show)
    add_output(show)


def _add_pass(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a pass")
    group.add_argument("--dry-run", action="store_true", help="make the same plan, write nothing")
    group.add_argument("--observe", action="store_true", help="compare and report, write nothing")
    group.add_argument(
        "--max-delete",
        type=delete_limit,
        metavar="N|P%",
        help="allow up to N deletes of any share (plan.delete_count_max and delete_few_max), or up to "
        "P percent of a replica's records in any number (plan.delete_ratio_max; delete_few_max "
        "becomes 0, delete_count_max still holds)",
    )
    group.add_argument("--allow-empty", action="store_true", help="accept that a whole registry is empty now")
    group.add_argument("--allow-new-instance", action="store_true", help="accept another Home Assistant")
    group.add_argument(
        "--prune-foreign", action="store_true", help="delete rows that Home Assistant does not have"
    )
    group.add_argument(
        "--confirm-deletes",
        action="store_true",
        help="take the second look now, after a wait, instead of in the next pass",
    )
    group.add_argument(
        "--metrics-file",
        metavar="FILE",
        help="write the pass's metrics to FILE, for node_exporter's textfile collector",
    )
    group.add_argument("--plan-out", metavar="FILE", help="write the report to FILE; implies --dry-run")
    group.add_argument(
        "--plan",
        metavar="FILE",
        help="carry out the saved plan, or refuse if the changes to make are different by now",
    )


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("comparison")
    group.add_argument(
        "--only",
        type=registries,
        metavar="REGISTRY,...",
        help=f"only these: {', '.join(REGISTRIES)}",
    )
    group.add_argument("--detailed-exitcode", action="store_true", help="exit with 2 if there are changes")


def _check_options(argv: list[str], known: frozenset[str]) -> None:
    """Report the unknown option: argparse would complain about the value after it."""
    for word in argv:
        if word == "--":
            return
        if any("\ud800" <= character <= "\udfff" for character in word):
            refuse(f"The argument {word!r} is not UTF-8.", "Rename the file, or set the locale to UTF-8.")
        option = word.partition("=")[0]
        if option.startswith("--") and option not in known:
            known = build_grammar().options
            if option in known:
                continue
            hint = setting_hint(option) or suggestion(option, known)
            refuse(f"{option} is not an option of reconcile.", hint)
