"""Blocking work beside the event loop; a command that only uses files needs neither loop nor thread."""

import threading
from collections.abc import Generator

import anyio
import pytest

from engine.process.offload import lacks_memory, run_alone, sleep, to_thread


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("dictionary changed size during iteration"), False),
    ],
)
def test_a_lack_of_memory_is_reported_from_a_mistake(error: Exception, is_it: bool) -> None:
    assert lacks_memory(error) is is_it


class Signalled(BaseException):
    """What a signal would raise."""


def test_work_runs_without_an_event_loop_in_the_thread_that_asked() -> None:
    async def work() -> list[threading.Thread]:
        await sleep(0.001)
        return [await to_thread(threading.current_thread) for _ in range(2)]

    assert run_alone(work, lambda: None) == [threading.current_thread()] * 2


def test_a_signal_between_two_pieces_of_work_ends_the_work_there() -> None:
    done = list[str]()
    undone = list[str]()

    def between() -> None:
        if done:
            raise Signalled

    async def work() -> None:
        try:
            await to_thread(lambda: done.append("first"))
            assert done == ["first"], "what has begun is waited for"
            await to_thread(lambda: done.append("second"))
        finally:
            undone.append("cleaned up")

    with pytest.raises(Signalled):
        run_alone(work, between)
    assert (done, undone) == (["first"], ["cleaned up"])


def test_a_sleep_is_ended_by_it_too() -> None:
    looks = iter([None, None, Signalled()])

    def between() -> None:
        if (reported := next(looks)) is not None:
            raise reported

    async def work() -> None:
        await sleep(3600)

    with pytest.raises(Signalled):
        run_alone(work, between)


def test_an_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        await to_thread(lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run_alone(work, lambda: None)


def test_what_needs_an_event_loop_is_refused_and_leaves_nothing_behind() -> None:
    async def work() -> None:
        await Never()

    class Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    with pytest.raises(AssertionError, match="needs an event loop"):
        run_alone(work, lambda: None)

    async def threaded() -> threading.Thread:
        return await to_thread(threading.current_thread)

    assert anyio.run(threaded) is not threading.current_thread()
