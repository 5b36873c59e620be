"""How often, where and from which seed a test run kills.

RECONCILE_TEST_KILLS is about how many kills a whole run does (CI sets it), RECONCILE_TEST_KILL_SEED from which
number they are drawn; a failing test says which instants it chose.
"""

import os
import random
import time

import msgspec

from tests.kill.fork_server import KILLED, Ending, ForkServer, Order

_SEED = os.environ.get("RECONCILE_TEST_KILL_SEED") or "1"
_TOTAL = int(os.environ.get("RECONCILE_TEST_KILLS", "20"))


def share(part: float) -> int:
    """How many kills a part of the run does."""
    return max(2, round(_TOTAL * part))


def draw_for(what: str) -> random.Random:
    """Random numbers that are the same whenever seed and name are."""
    return random.Random(f"{_SEED}/{what}")


class Instant(msgspec.Struct, frozen=True):
    """When to kill: at a file operation, or a time after the start."""

    operation: int | None = None
    is_torn: bool = False
    seconds: float = 0.0


def draw_instant(draw: random.Random, operations: int, seconds: float) -> Instant:
    """Somewhere in a run of so many file operations and seconds."""
    if draw.random() < 0.7:
        return Instant(operation=draw.randint(1, operations), is_torn=draw.random() < 0.5)
    return Instant(seconds=draw.uniform(0.0, seconds))


def run_until(server: ForkServer, order: Order, instant: Instant) -> Ending:
    """Run, and kill at the instant if it comes to that."""
    if instant.operation is not None:
        at_operation = msgspec.structs.replace(order, crash_at=instant.operation, is_torn=instant.is_torn)
        return server.run(at_operation)
    server.start(order)
    time.sleep(instant.seconds)
    return server.kill()


def is_killed(ending: Ending) -> bool:
    """Whether the kill came before the end. Anything but success and a kill is a failure of its own."""
    assert ending.code in (0, KILLED), ending
    return ending.code == KILLED
