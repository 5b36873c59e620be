"""What an archive is read from: bounded reads, and forward reads that go back by a block at most."""

import io
import random
from pathlib import Path

import pytest

from engine.errors import SourceInvalid
from engine.sources.files.archive_readers import READ_BYTES_MAX, BoundedReader, ForwardReader


class Trickle:
    """A file whose reads are short."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, 700))


def test_reading_forward_is_reading_a_file_with_seeks() -> None:
    draw = random.Random(2026)
    content = draw.randbytes(100_000)
    file, forward = io.BytesIO(content), ForwardReader(Trickle(content))
    while file.tell() < len(content):
        size, step = draw.randrange(3000), draw.choice([-1, -512, 0, 0, 1, 5000])
        assert forward.read(size) == file.read(size)
        assert forward.tell() == file.tell()
        to = min(max(file.tell() + step, 0), len(content))
        if file.tell() >= 512:
            assert forward.seek(to) == file.seek(to) == forward.tell()
    assert forward.read(1) == b""


def test_further_back_is_refused_and_further_on_ends_at_the_end() -> None:
    forward = ForwardReader(io.BytesIO(bytes(5000)))
    forward.read(4000)
    with pytest.raises(ValueError, match="backwards"):
        forward.seek(2000)
    with pytest.raises(ValueError, match="backwards"):
        forward.seek(0, io.SEEK_END)
    assert forward.seek(9000) == 5000
    assert forward.read(10) == b""


def test_no_read_is_larger_than_an_archive_can_mean(tmp_path: Path) -> None:
    reader = BoundedReader(io.BytesIO(b"abcdef"), tmp_path / "b.tar")
    assert (reader.read(4), reader.last_read, reader.tell()) == (b"abcd", b"abcd", 4)
    for size in (-1, READ_BYTES_MAX + 1):
        with pytest.raises(SourceInvalid, match=r"b\.tar"):
            reader.read(size)
    assert (reader.seek(1), reader.read(1), reader.seekable()) == (1, b"b", True)
