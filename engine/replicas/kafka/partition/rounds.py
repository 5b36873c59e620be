"""Requests of several threads, served together by one of them.

A thread that finds no other at work serves all waiting requests, including its own; requests that arrive meanwhile wait
for the next round. So one thread works at a time, and no lock is held while it does.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from engine.errors import EngineError, ReplicaError, ReplicaUnavailable
from engine.replicas.kafka.topics import REPLICA

_STEP_SECONDS = 1.0
# A round always ends: each of its waits has a timeout.
_PATIENCE_STEPS = 300


class Request:
    """A thread's request; the thread that serves it sets `is_answered`, and `error` on failure."""

    def __init__(self) -> None:
        self.is_answered = False
        self.error: EngineError | None = None


R = TypeVar("R", bound=Request)


class Rounds(Generic[R]):
    """`answer` serves requests; an error that it raises fails every request that it left open."""

    def __init__(self, answer: Callable[[Sequence[R]], None], check: Callable[[], None]) -> None:
        """`check` raises when waiting has become pointless."""
        self._answer = answer
        self._check = check
        self._turn = threading.Condition()
        self._waiting: list[R] = []
        self._is_busy = False

    def ask(self, request: R, gather: Callable[[], object] | None = None) -> None:
        """Return when the request is answered. Raises its error. `gather` waits a moment so that other requests join the round."""
        with self._turn:
            self._waiting.append(request)
            try:
                self._wait_for_turn(request)
            except BaseException:
                self._withdraw(request)
                raise
        if not request.is_answered:
            self._work(request, gather)
        if request.error is not None:
            raise copied_error(request.error)

    @property
    def waiting(self) -> int:
        """The number of requests that no thread has begun to serve."""
        with self._turn:
            return len(self._waiting)

    def do_if_idle(self, work: Callable[[], None]) -> None:
        """Run some work, unless a thread is working or waiting: then the work is not needed, or happens later."""
        with self._turn:
            if self._is_busy or self._waiting:
                return
            self._is_busy = True
        try:
            work()
        finally:
            self._hand_over([])

    def _wait_for_turn(self, request: R) -> None:
        """Return when the request was answered, or when this thread is the one to serve the round."""
        for _ in range(_PATIENCE_STEPS):
            if request.is_answered:
                return
            if not self._is_busy:
                self._is_busy = True
                return
            if not self._turn.wait(_STEP_SECONDS):
                self._check()
        raise ReplicaUnavailable(REPLICA, "Another home of the same partition keeps Kafka's writer busy.")

    def _work(self, own: R, gather: Callable[[], object] | None) -> None:
        requests = [own]
        try:
            if gather is not None:
                gather()
            with self._turn:
                requests, self._waiting = self._waiting, []
            self._answer(requests)
        except EngineError as error:
            _fail(requests, error)
        except BaseException:
            _fail(requests, ReplicaUnavailable(REPLICA, "Writing to Kafka was cut off."))
            raise
        finally:
            self._hand_over(requests)

    def _hand_over(self, answered: Sequence[R]) -> None:
        with self._turn:
            for request in answered:
                request.is_answered = True
                self._withdraw(request)
            self._is_busy = False
            self._turn.notify_all()

    def _withdraw(self, request: R) -> None:
        if request in self._waiting:
            self._waiting.remove(request)


def copied_error(error: EngineError) -> EngineError:
    """The same error to raise in another thread."""
    if isinstance(error, ReplicaError):
        return type(error)(error.replica, error.message, error.hint)
    return type(error)(error.message, error.hint)


def _fail(requests: Sequence[R], error: EngineError) -> None:
    for request in requests:
        if not request.is_answered and request.error is None:
            request.error = error
