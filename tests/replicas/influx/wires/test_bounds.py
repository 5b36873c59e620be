"""An answer that drips, or never ends, is given up: its head as well as its body."""

import io
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from engine.replicas.influx.wires import bounds
from engine.replicas.influx.wires.bounds import BoundedAnswer, EndlessAnswer

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Dripping(io.RawIOBase):
    """Gives one piece at a time; each takes a second of the clock."""

    def __init__(self, pieces: Iterator[bytes], now: list[float]) -> None:
        self._pieces = pieces
        self._now = now

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._now[0] += 1.0
        piece = next(self._pieces)
        buffer[: len(piece)] = piece
        return len(piece)


class Socket:
    """As much of one as an answer needs."""

    def __init__(self, pieces: Iterator[bytes], now: list[float]) -> None:
        self._raw = Dripping(pieces, now)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._raw)

    def gettimeout(self) -> float:
        return 2.0


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr("engine.replicas.influx.wires.bounds.time.monotonic", lambda: clock[0])
    return clock


def then(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def read_on(answer: BoundedAnswer) -> None:
    answer.begin()
    while True:
        answer.read1(100)


@pytest.mark.parametrize(
    "pieces",
    [
        repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
        repeat(b"H"),
        then(b"HTTP/1.1 200 OK\r\nX: ", repeat(b"y")),
        then(HEAD, repeat(b"1\r\n \r\n")),
        then(HEAD, repeat(b"1")),
    ],
    ids=["continue", "status", "header", "body", "size of a piece"],
)
def test_a_dripping_answer_is_given_up_after_ten_timeouts(now: list[float], pieces: Iterator[bytes]) -> None:
    answer = BoundedAnswer(Socket(pieces, now))  # type: ignore[arg-type]
    with pytest.raises(EndlessAnswer, match="did not end within 20 seconds"):
        read_on(answer)
    assert now[0] < 130.0


def test_what_is_longer_than_any_home_is_given_up(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES_MAX", 1_000)
    answer = BoundedAnswer(Socket(then(HEAD, repeat(b"64\r\n" + b" " * 100 + b"\r\n")), now))  # type: ignore[arg-type]
    with pytest.raises(EndlessAnswer, match="longer than 1000 bytes"):
        read_on(answer)


def test_what_ends_is_read_to_its_end(now: list[float]) -> None:
    answer = BoundedAnswer(Socket(then(HEAD, iter([b"2\r\nab\r\n", b"0\r\n\r\n"])), now))  # type: ignore[arg-type]
    answer.begin()
    assert answer.read() == b"ab"
    assert answer.isclosed()
