"""The manual page reconcile(1), made from the parser: `sh ops/docs` writes it, and the wheel puts it where `man` looks."""

import argparse
import re
from collections.abc import Iterator

from engine import __version__
from engine.commandline.arguments.arguments import COMMANDS
from engine.commandline.arguments.examples import EXAMPLES
from engine.commandline.arguments.parser import build_grammar
from engine.commandline.exit_codes import TABLE
from engine.settings.sections import Settings

_Option = tuple[tuple[str, ...], str | None]

_DEFAULTS = Settings()
_ROWS, _HISTORY = _DEFAULTS.rows.file, _DEFAULTS.records.uri.partition(":")[2]
_FILES = (
    (
        "reconcile.toml",
        "the settings, in the working folder; --config or $RECONCILE_CONFIG names another file",
    ),
    (_ROWS, "the SQLite file, unless rows.file (--rows) names another"),
    (f"{_ROWS}.cache", "what the last pass learned; it may be deleted at any time"),
    (_HISTORY, "the history, unless records.uri (--records) names another or none"),
)
_ENVIRONMENT = (
    ("RECONCILE_SECTION__KEY", "a setting, such as RECONCILE_SOURCE__URI for source.uri; an option wins over it, the file does not"),
    ("RECONCILE_CONFIG", "the settings file"),
    ("RECONCILE_SOURCE__TOKEN", "Home Assistant's access token; better in a file that source.token_file names"),
    ("NO_COLOR", "no colours, unless --color=always"),
)  # fmt: skip


def man_page() -> str:
    """The page, in man's macros."""
    grammar = build_grammar()
    lines = [
        '.\\" Written by `sh ops/docs` from the code; change the code, not this page.',
        f'.TH RECONCILE 1 "" "ha-reconcile {__version__}" "User Commands"',
        ".nh",  # names of settings stay whole
        *(".SH NAME", "reconcile \\- keep a SQLite file and a records store equal to Home Assistant's registries"),
        *(".SH SYNOPSIS", ".B reconcile", "[OPTION...] [COMMAND]"),
        *(".SH DESCRIPTION", _text(" ".join((grammar.parser.description or "").split()))),
        *(".PP", _text("Options follow the name of a command. Only the settings below have options;")),
        _text("reconcile config show prints all, and reconcile docs settings says what they mean."),
        ".SH OPTIONS",
        *_options(grammar.parser),
        ".SH COMMANDS",
    ]  # fmt: skip
    shown = frozenset(_option(action) for action in grammar.parser._actions)  # noqa: SLF001
    for name, what in COMMANDS.items():
        lines += [f".SS reconcile {name}", _text(f"{what[:1].upper()}{what[1:]}.")]
        lines += [*_options(grammar.commands[name], shown), *_examples(name)]
    lines += [".SH EXIT STATUS", *_listed(_exit_codes())]
    lines += [".SH ENVIRONMENT", *_listed(_ENVIRONMENT), ".SH FILES", *_listed(_FILES)]
    lines += [".SH EXAMPLES", *_examples("")]
    lines += [".SH SEE ALSO", _text("reconcile docs lists the pages of the documentation and prints them.")]
    return "\n".join(lines) + "\n"


def _options(parser: argparse.ArgumentParser, shown: frozenset[_Option] = frozenset()) -> Iterator[str]:
    """What the parser takes, without --help and what was shown, and what its nested commands take."""
    again = []
    for action in parser._actions:  # noqa: SLF001  (argparse has no other way to ask)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, inner in action.choices.items() if parser.prog != "reconcile" else ():
                yield from (".PP", f".B {_text(parser.prog.partition(' ')[2])} {_text(name)}")
                yield from (".RS", *_options(inner, shown), ".RE")
        elif isinstance(action, argparse._HelpAction):  # noqa: SLF001
            continue
        elif _option(action) in shown:
            again.append(action.option_strings[-1])
        else:
            takes = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
            names = ", ".join(f"\\fB{_text(name)}\\fR" for name in action.option_strings)
            value = f"\\fI{_text(str(takes))}\\fR" if takes else ""
            yield from (".TP", f"{names} {value}".strip(), _text(f"{action.help}."))
    if again:
        yield from (".PP", _text(f"Also, as above: {', '.join(again)}."))


def _option(action: argparse.Action) -> _Option:
    return tuple(action.option_strings), action.help


def _examples(command: str) -> Iterator[str]:
    for line, text in EXAMPLES[command]:
        yield from (".PP", *([_text(f"{text[:1].upper()}{text[1:]}:")] if text else []))
        yield from (".RS 4", ".nf", _text(line), ".fi", ".RE")


def _listed(items: "tuple[tuple[str, str], ...] | Iterator[tuple[str, str]]") -> Iterator[str]:
    for word, text in items:
        yield from (".TP", f".B {_text(word)}", _text(f"{text}."))


def _exit_codes() -> Iterator[tuple[str, str]]:
    for code, text in re.findall(r"(?m)^  (\d+) +(.*(?:\n {7}.*)*)", TABLE):
        yield code, " ".join(text.split())


def _text(text: str) -> str:
    """Words that roff prints as they are."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped
