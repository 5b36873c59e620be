"""Requests of several threads, served by one of them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.errors import OwnershipLost, ReplicaUnavailable, SettingsError
from engine.replicas.kafka.partition import rounds as module
from engine.replicas.kafka.partition.rounds import Request, Rounds


class Answering:
    """Serves requests and records how many came at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.error: BaseException | None = None
        self.is_lost = False
        self.rounds = Rounds[Request](self.answer, self.check)

    def answer(self, requests: Sequence[Request]) -> None:
        self.sizes.append(len(requests))
        if self.error is not None:
            raise self.error

    def check(self) -> None:
        if self.is_lost:
            raise OwnershipLost("kafka", "Lost.")

    def wait_for(self, waiting: int) -> None:
        while self.rounds.waiting < waiting:
            pass


def test_requests_made_during_work_are_answered_in_one_round() -> None:
    answering = Answering()
    with ThreadPoolExecutor(3) as threads:

        def work() -> None:
            for _ in range(3):
                threads.submit(answering.rounds.ask, Request())
            answering.wait_for(3)

        answering.rounds.do_if_idle(work)
    assert answering.sizes == [3]


def test_a_caller_that_only_works_when_idle_never_waits() -> None:
    rounds, done = Answering().rounds, list[str]()
    rounds.do_if_idle(lambda: rounds.do_if_idle(lambda: done.append("inner")))
    assert done == []
    rounds.do_if_idle(lambda: done.append("later"))
    assert done == ["later"]


@pytest.mark.parametrize(
    "error", [ReplicaUnavailable("kafka", "Away.", "Wait."), SettingsError("Bad.", "Good.")]
)
def test_a_failure_is_raised_in_every_thread_that_asked(error: ReplicaUnavailable | SettingsError) -> None:
    answering = Answering()
    answering.error = error
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(answering.rounds.ask, Request(), lambda: answering.wait_for(2))
        second = threads.submit(answering.rounds.ask, Request(), lambda: answering.wait_for(2))
        raised = [first.exception(), second.exception()]
    assert [str(one) for one in raised] == [str(error)] * 2
    assert raised[0] is not raised[1]
    answering.error = None
    answering.rounds.ask(Request())


def test_a_thread_that_is_cut_off_leaves_no_caller_waiting() -> None:
    answering = Answering()
    answering.error = KeyboardInterrupt()
    with ThreadPoolExecutor(2) as threads:
        asked = [
            threads.submit(answering.rounds.ask, Request(), lambda: answering.wait_for(2)) for _ in range(2)
        ]
        raised = {type(one.exception()) for one in asked}
    assert raised == {KeyboardInterrupt, ReplicaUnavailable}
    answering.error = None
    answering.rounds.ask(Request())


def test_a_caller_with_nothing_left_to_wait_for_stops_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STEP_SECONDS", 0.0)
    answering = Answering()

    def work() -> None:
        with pytest.raises(ReplicaUnavailable, match="busy"):
            answering.rounds.ask(Request())
        answering.is_lost = True
        with pytest.raises(OwnershipLost):
            answering.rounds.ask(Request())

    answering.rounds.do_if_idle(work)
    assert answering.rounds.waiting == 0
    assert answering.sizes == []
