"""How many examples Hypothesis tries, where a test says so itself: fewer in `sh ops/test --fast`, all of them otherwise."""

from hypothesis import settings


def at_most(examples: int, *, fast: int | None = None) -> int:
    """The number of examples, or as many as the profile allows, if that is less; `fast` of the fast profile, for
    examples that are expensive. The profile is set when test modules are imported.
    """
    if fast is not None and settings.get_current_profile_name() == "fast":
        return fast
    return min(examples, settings().max_examples)
