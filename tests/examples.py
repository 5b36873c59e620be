"""How many examples a test tries, where it says so itself: fewer in `sh ops/test` and its `--fast`, all of them otherwise."""

from collections.abc import Iterable

import pytest
from hypothesis import settings


def unless_fast(number: int, *, fast: int) -> int:
    """The number, or the smaller one of the fast profile. The profile is set when test modules are imported."""
    return fast if settings.get_current_profile_name() == "fast" else number


def at_most(examples: int, *, fast: int | None = None) -> int:
    """The number of examples, or as many as the profile allows, if that is less; `fast` of the fast profile, for
    examples that are expensive.
    """
    allowed = min(examples, settings().max_examples)
    return allowed if fast is None else unless_fast(allowed, fast=fast)


def first_quick(values: Iterable[object], quick: int = 1) -> list[object]:
    """Parameters of a test; only the first belong to the fast run, because the rest show the same with other data."""
    return [
        value if number < quick else pytest.param(*_arguments(value), marks=pytest.mark.slow)
        for number, value in enumerate(values)
    ]


def _arguments(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)
