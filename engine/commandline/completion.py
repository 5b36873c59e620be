"""Completion in a shell: the script that `reconcile completion SHELL` prints, and the completions for it.

At each Tab the shell starts the command with _ARGCOMPLETE set; argcomplete then walks the parser, so that arguments
are declared only once. Prints no errors: the command itself reports them.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from argcomplete.completers import FilesCompleter, SuppressCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.shell_integration import shellcode

from engine.commandline.arguments.arguments import COMPACT, Arguments
from engine.commandline.arguments.parser import build_grammar
from engine.commandline.exit_codes import FAILED, OK
from engine.commandline.output import emit_text
from engine.commandline.text.safe_text import visible
from engine.core.records.registries import REGISTRIES
from engine.errors import EngineError

Offer = Callable[[str, Arguments], Iterable[str] | Mapping[str, str]]


class Finder(CompletionFinder):
    """Argcomplete's finder, for thousands of names, some of them from untrusted devices."""

    def collect_completions(self, *given: Any) -> list[str]:
        """As argcomplete's, but without the description "None" that it shows in zsh for a missing one."""
        words = super().collect_completions(*given)
        self._display_completions = dict.fromkeys(words, "") | self._display_completions
        return words

    def filter_completions(self, completions: list[str]) -> list[str]:
        """The completions without duplicates, and without any that a terminal would execute or a shell would misread."""
        return [word for word in dict.fromkeys(completions) if _is_plain(word)]


def run_completion(arguments: Arguments) -> int:
    """Print the script."""
    # Not `use_defaults`: without a match, bash would offer files.
    emit_text(shellcode(["reconcile"], use_defaults=False, shell=arguments.shell))
    return OK


def answer_shell() -> NoReturn:
    """Print the completions of the word under the cursor, and exit: raises SystemExit."""
    grammar = build_grammar()
    for action in grammar.actions():
        if isinstance(action.metavar, str) and action.metavar in _OFFERS:
            action.completer = _completer(_OFFERS[action.metavar])  # type: ignore[attr-defined]
        elif action.metavar == "FILE":
            action.completer = FilesCompleter()  # type: ignore[attr-defined]
    # Options are offered after a dash; there are no completions for values not named here.
    finder = Finder()
    finder(grammar.parser, always_complete_options=False, default_completer=SuppressCompleter())
    raise SystemExit(FAILED)  # argcomplete exits the process


def _completer(offer: Offer) -> Callable[..., Iterable[str] | Mapping[str, str]]:
    def complete(
        prefix: str, parsed_args: argparse.Namespace, **_: object
    ) -> Iterable[str] | Mapping[str, str]:
        try:
            return offer(prefix, Arguments(**vars(parsed_args)))
        except (EngineError, OSError):
            return ()

    return complete


def _registries(begun: str, _: Arguments) -> Iterable[str]:
    before, comma, _begun = begun.rpartition(",")
    return (f"{before}{comma}{name}" for name in REGISTRIES)


def _records(begun: str, arguments: Arguments) -> Mapping[str, str]:
    from engine.commandline.arguments.loading import load
    from engine.composition.run import typed_names

    words = {} if "/" in begun else {f"{name}/": "" for name in REGISTRIES}
    if arguments.command == "history":
        words[COMPACT] = "forget what may be forgotten"
    found = typed_names(load(arguments), begun)
    return {word: visible(called) for word, called in sorted(found.items())} | words


def _sites(_: str, arguments: Arguments) -> Iterable[str]:
    from engine.commandline.verbs.service.site import Homes

    return sorted(Homes(arguments).read())


def _topics(_: str, __: Arguments) -> Iterable[str]:
    from engine.commandline.verbs.docs import topics

    return topics()


# By the value's name in the help.
_OFFERS: dict[str, Offer] = {
    "KEY": _records,
    "NAME": _sites,
    "REGISTRY,...": _registries,
    "TOPIC": _topics,
}


def _is_plain(word: str) -> bool:
    """Whether a shell takes the word literally: device names come from any device on the network."""
    return word.isprintable() and (word[:1].isalnum() or word.startswith(("-", "_", "/", ".")))
