"""Blames objects left to the garbage collector on the test that left them, not on a later one.

A file or socket in a reference cycle is closed by the collector, in a later test that makes enough objects. Python
warns about it there, and a warning fails a test.
"""

import gc
import sys
import warnings

# The last of them from Python 3.12 on.
_OF_THE_LAST_FAILURE = ("last_type", "last_value", "last_traceback", "last_exc")


def has_failed() -> bool:
    """Whether the test that just ran raised something. pytest keeps that, with all locals, until the next test runs."""
    return hasattr(sys, "last_value")


def collect_without_warnings() -> None:
    """Drop what a failed test still holds, and all other garbage, without blaming a test."""
    for name in _OF_THE_LAST_FAILURE:
        vars(sys).pop(name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
