"""The watch for blocking calls finds what a coroutine of the program does, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio.to_thread
import apsw
import pytest

from tests.blocking_calls import watched_for_blocking_calls

ENGINE = Path(__file__).parents[1] / "engine"


def of_the_program(body: str, **names: Any) -> Callable[[], Awaitable[None]]:
    """A coroutine function as if it was in the program."""
    exec(compile(f"async def blocks():\n    {body}\n", str(ENGINE / "invented.py"), "exec"), names)
    found: Callable[[], Awaitable[None]] = names["blocks"]
    return found


async def found_in(blocks: Callable[[], Awaitable[None]]) -> list[str]:
    with watched_for_blocking_calls() as found:
        await blocks()
    return found


@pytest.mark.parametrize(
    "body",
    [
        "open('/dev/null').close()",
        "__import__('time').sleep(0)",
        "__import__('os').listdir('/')",
        "apsw.Connection(':memory:').execute('SELECT 1')",
    ],
)
def test_a_blocking_call_of_a_coroutine_is_found(body: str) -> None:
    found = asyncio.run(found_in(of_the_program(body, apsw=apsw)))
    assert found
    assert "invented.py" in found[0]


def test_a_call_in_a_worker_thread_blocks_nothing() -> None:
    blocks = of_the_program("await away(lambda: open('/dev/null').close())", away=anyio.to_thread.run_sync)
    assert asyncio.run(found_in(blocks)) == []


def test_blocking_calls_of_the_test_itself_are_allowed() -> None:
    async def reads() -> None:
        Path("/dev/null").read_bytes()  # noqa: ASYNC240

    assert asyncio.run(found_in(reads)) == []


def test_without_a_loop_nothing_can_be_blocked() -> None:
    with watched_for_blocking_calls() as found:
        Path("/dev/null").read_bytes()
    assert found == []
