"""What may be typed next, read off the parser: all that the completion scripts are made of.

A *place* is how far a command line has got: behind `reconcile`, behind `reconcile drift`, behind
`reconcile config show`.
"""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from engine.core.home.registries import REGISTRIES

# What a metavar says about the words that may stand there. Of all others nothing is known.
_FILE = "FILE"
_LISTS = {"REGISTRY,...": REGISTRIES}


class Value(NamedTuple):
    """What an option, or a place, takes: one of `words`, several of them with commas, a file, or anything."""

    name: str
    words: tuple[str, ...] = ()
    is_list: bool = False
    is_file: bool = False


class Option(NamedTuple):
    """An option, in all its spellings. `value` is None when it takes none."""

    names: tuple[str, ...]
    text: str
    value: Value | None


class Place(NamedTuple):
    """What may be typed behind the words of `path`; `commands` are names with what they do."""

    path: tuple[str, ...]
    options: tuple[Option, ...]
    commands: tuple[tuple[str, str], ...]
    argument: Value | None


def all_places(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[Place]:
    """The place behind `path`, whose parser this is, and every place behind that."""
    options: list[Option] = []
    commands: list[tuple[str, str]] = []
    argument = None
    behind: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:  # noqa: SLF001  (argparse has no other way to ask)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            commands = [(choice.dest, _first_clause(choice.help)) for choice in action._choices_actions]  # noqa: SLF001
            behind = action.choices
        elif action.option_strings:
            value = None if action.nargs == 0 else _value(action)
            options.append(Option(tuple(action.option_strings), _first_clause(action.help), value))
        else:
            argument = _value(action)
    yield Place(path, tuple(options), tuple(commands), argument)
    for name, parser_behind in behind.items():
        yield from all_places(parser_behind, (*path, name))


def valued_options(places: tuple[Place, ...]) -> dict[str, Value]:
    """The options that take a value, and which: one name means the same in every place."""
    values: dict[str, Value] = {}
    for place in places:
        for option in place.options:
            for name in option.names if option.value else ():
                assert option.value is not None
                assert values.setdefault(name, option.value) == option.value
    return values


def _value(action: argparse.Action) -> Value:
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices is not None:
        return Value(name, tuple(action.choices))
    return Value(name, _LISTS.get(name, ()), is_list=name in _LISTS, is_file=name == _FILE)


def _first_clause(text: str | None) -> str:
    return (text or "").partition("; ")[0].partition(" (")[0]
