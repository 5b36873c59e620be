"""Parsers for the values of options."""

import argparse
import re
from contextlib import suppress

from engine.commandline.arguments.arguments import (
    DeleteLimit,
)
from engine.commandline.arguments.examples import closest
from engine.core.records.registries import REGISTRIES


def delete_limit(text: str) -> DeleteLimit:
    """The value of --max-delete. Raises ArgumentTypeError."""
    number = text.removesuffix("%")
    if re.fullmatch(r"\d+(\.\d+)?", number, re.ASCII) and text.endswith("%") and float(number) <= 100:
        return DeleteLimit(None, float(number) / 100)
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return DeleteLimit(int(text), None)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number of records nor a share from 0% to 100%")


def moment(text: str) -> float:
    """Unix seconds of a day or a time. Raises ArgumentTypeError."""
    from datetime import UTC, datetime

    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    raise argparse.ArgumentTypeError(f"{text!r} is neither a day nor a time")


def registries(text: str) -> tuple[str, ...]:
    """The value of --only. Raises ArgumentTypeError."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in REGISTRIES:
            close = closest(name, REGISTRIES)
            hint = f"did you mean {close}?" if close else f"there are {', '.join(REGISTRIES)}"
            raise argparse.ArgumentTypeError(f"{name!r} is not a registry; {hint}")
    return names
