"""What a failed test holds open fails no other test."""

import gc
import socket
import sys
from typing import Any

import pytest

from tests.garbage import collect_without_warnings, has_failed


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The exceptions raised where no code could catch them."""
    found: list[str] = []
    gc.collect()
    monkeypatch.setattr("sys.unraisablehook", lambda raised: found.append(str(raised.exc_value)))
    return found


def hold_and_fail() -> None:
    opened: list[Any] = [socket.socket()]
    opened.append(opened)  # only the collector can close it
    raise LookupError


def keep_failure() -> None:
    """As pytest does after the call of a test that raised."""
    try:
        hold_and_fail()
    except LookupError as error:
        sys.last_value = error


@pytest.mark.slow
def test_objects_held_by_a_failed_test_are_closed_silently(unraisable: list[str]) -> None:
    assert not has_failed()
    keep_failure()
    assert has_failed()
    collect_without_warnings()
    assert not has_failed()
    gc.collect()
    assert unraisable == []


@pytest.mark.slow
def test_else_a_test_that_makes_many_objects_fails_for_it(unraisable: list[str]) -> None:
    keep_failure()
    del sys.last_value  # as pytest does before the call of the next
    gc.collect()  # as making many objects does
    (reported,) = unraisable
    assert "unclosed <socket" in reported
