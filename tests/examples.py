"""How many examples Hypothesis tries, where a test says so itself: fewer in `sh ops/test --fast`."""

from hypothesis import settings


def at_most(examples: int) -> int:
    """So many, or as many as the profile allows, if that is less. The profile is set when test modules are imported."""
    return min(examples, settings().max_examples)
