"""Packed bytes unpack to the original bytes, from any position."""

import random

import pytest

from engine.pass_cache.packed import PackedBytes

PIECE = 64 * 1024


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17])
def test_every_part_is_unchanged_after_a_round_trip(size: int) -> None:
    draw = random.Random(size)
    data = draw.randbytes(size)
    packed = PackedBytes(data)
    assert len(packed) == size
    assert packed.read(0, size) == data
    for _ in range(50):
        begin = draw.randint(0, size)
        end = draw.randint(begin, size)
        assert packed.read(begin, end) == data[begin:end]


def test_what_repeats_takes_little_memory() -> None:
    packed = PackedBytes(b'{"entity_id":"light.kitchen"}' * 100_000)
    assert sum(map(len, packed._pieces)) < len(packed) / 50
