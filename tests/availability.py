"""Which tests can run here: those with their server or program installed, and long ones on request."""

import os
from typing import NoReturn

import pytest

IS_LONG = os.environ.get("RECONCILE_TEST_LONG") == "1"
"""Whether to try more examples, and to run what is marked as long: CI does."""


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test whose server is missing; in CI, where it would hide what CI is for, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
