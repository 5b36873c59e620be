"""A test whose server or program is missing."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test whose server is missing; in CI, where it would hide what CI is for, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
